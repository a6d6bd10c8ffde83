package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.ModelWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Makes a model that has learned nothing yet. */
@Command(name = "init", description = "Make a model of random weights, to pretrain or to measure with.", footer = {"",
    "The tokenizer is not made: put a tokenizer.json beside the weights before training.", "", "Examples:",
    "  jqlora init --config llama-3.2-1b --dtype bf16 --out models/random-1b",
    "  jqlora init --config my/config.json --out models/mine --seed 7"})
final class InitCommand implements Runnable {
  /** What weights can be stored as. */
  enum Stored {
    F32(DType.F32), BF16(DType.BF16);

    private final DType dtype;

    Stored(DType dtype) {
      this.dtype = dtype;
    }

    /** As it is typed. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Option(names = "--config", paramLabel = "NAME|FILE", required = true, description = "A published shape (llama-3-8b, llama-3-70b, llama-3.1-8b, llama-3.2-1b, llama-3.2-3b) or a config.json.")
  private String config;

  @Option(names = "--out", paramLabel = "DIR", required = true, description = "The model's folder.")
  private Path out;

  @Option(names = "--dtype", paramLabel = "f32|bf16", defaultValue = "f32", description = "How weights are stored (default: ${DEFAULT-VALUE}).")
  private Stored dtype;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "Equal seeds give equal files (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(names = "--overwrite", description = "Replace the model that the folder holds.")
  private boolean overwrite;

  @Mixin
  private Output output;

  @Override
  public void run() {
    LlamaConfig shape = shape();
    if (!overwrite && holdsModel()) {
      throw new JqloraException(Kind.IO, out + " holds a model; choose another folder, or give --overwrite");
    }
    ModelWriter.random(out, shape, dtype.dtype, seed);
    long bytes = Math.multiplyExact(shape.parameters(), (long) dtype.dtype.bytes());
    output.print(output.object().put("path", out.toString()).put("parameters", shape.parameters()).put("bytes", bytes),
        () -> output.out().println(String.format(Locale.ROOT, "%s: %,d parameters, %,d bytes as %s", out, shape
            .parameters(), bytes, dtype)));
  }

  private LlamaConfig shape() {
    Optional<LlamaConfig> known = KnownConfigs.named(config);
    if (known.isPresent()) {
      return known.get();
    }
    if (!Files.exists(Path.of(config))) {
      throw new JqloraException(Kind.USAGE,
          "--config: %s is no file and none of %s".formatted(FileErrors.quoted(config),
              String.join(", ", KnownConfigs.all().keySet())));
    }
    return LlamaConfig.of(JsonObject.read(Path.of(config))).withoutQuantization();
  }

  private boolean holdsModel() {
    if (!Files.isDirectory(out)) {
      return false;
    }
    try (Stream<Path> files = Files.list(out)) {
      return files.map(file -> String.valueOf(file.getFileName()))
          .anyMatch(name -> name.equals(LlamaConfig.FILE) || name
              .endsWith(".safetensors"));
    } catch (IOException e) {
      throw FileErrors.cannotRead(out, e);
    }
  }
}
