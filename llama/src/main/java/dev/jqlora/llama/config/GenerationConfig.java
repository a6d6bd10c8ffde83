package dev.jqlora.llama.config;

import dev.jqlora.llama.files.JsonObject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;

/**
 * What generation needs to know of a model besides its weights: {@code generation_config.json} before
 * {@code config.json}, key by key.
 *
 * @param ids the ids that begin, end and pad a text
 */
public record GenerationConfig(SpecialIds ids) {
  public static final String FILE = "generation_config.json";

  /** Reads a model folder's file, where it has one. */
  public static GenerationConfig read(Path folder, LlamaConfig config) {
    Path file = folder.resolve(FILE);
    if (!Files.exists(file)) {
      return new GenerationConfig(config.ids());
    }
    SpecialIds own = SpecialIds.of(JsonObject.read(file));
    SpecialIds model = config.ids();
    OptionalInt bos = own.bos().isPresent() ? own.bos() : model.bos();
    List<Integer> eos = own.eos().isEmpty() ? model.eos() : own.eos();
    OptionalInt pad = own.pad().isPresent() ? own.pad() : model.pad();
    return new GenerationConfig(new SpecialIds(bos, eos, pad));
  }
}
