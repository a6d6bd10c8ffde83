package dev.jqlora.llama.tokenizer;

import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.files.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The files in a model folder that make its tokenizer. */
public record TokenizerFiles(Path folder) {
  public static final String TOKENIZER = "tokenizer.json";
  public static final String CONFIG = "tokenizer_config.json";
  public static final String SPECIAL_TOKENS = "special_tokens_map.json";
  public static final String CHAT_TEMPLATE = "chat_template.jinja";

  private static final List<String> NAMES = List.of(TOKENIZER, CONFIG, SPECIAL_TOKENS, CHAT_TEMPLATE);

  /** Copies those that are there to a run's folder, so that an adapter can be used with the tokenizer it was made by. */
  public void copyTo(Path other) {
    for (String name : NAMES) {
      Path file = folder.resolve(name);
      if (Files.exists(file)) {
        AtomicFile.write(other.resolve(name), content(file));
      }
    }
  }

  private static byte[] content(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw FileErrors.cannotRead(file, e);
    }
  }
}
