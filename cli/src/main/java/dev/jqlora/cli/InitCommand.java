package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.model.RandomModel;
import dev.jqlora.llama.model.RandomModel.Storage;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.llama.tokenizer.TokenizerFiles;
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
    "Training needs a tokenizer beside the weights: --tokenizer copies one.", "",
    "nf4 stores the projections quantized (NF4, double quantization, as bitsandbytes saves them), the",
    "rest as bf16.", "",
    "Examples:", "  jqlora init --config llama-3.2-1b --dtype bf16 --out models/random-1b",
    "  jqlora init --config llama-3-8b --dtype nf4 --out models/random-8b \\",
    "      --tokenizer models/Meta-Llama-3-8B",
    "  jqlora init --config my/config.json --out models/mine --seed 7"})
final class InitCommand implements Runnable {
  @Option(names = "--config", paramLabel = "NAME|FILE", required = true, description = "A published shape (llama-3-8b, llama-3-70b, llama-3.1-8b, llama-3.2-1b, llama-3.2-3b) or a config.json.")
  private String config;

  @Option(names = "--out", paramLabel = "DIR", required = true, description = "The model's folder.")
  private Path out;

  @Option(names = "--dtype", paramLabel = "f32|bf16|nf4", defaultValue = "f32", description = "How weights are stored (default: ${DEFAULT-VALUE}).")
  private String dtype;

  @Option(names = "--tokenizer", paramLabel = "DIR", description = "A folder whose tokenizer files are copied beside the weights.")
  private Path tokenizer;

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
    Storage storage = storage();
    if (tokenizer != null) {
      checkTokenizer(shape);
    }
    long bytes = RandomModel.write(out, shape, storage, seed);
    if (tokenizer != null) {
      new TokenizerFiles(tokenizer).copyTo(out);
    }
    output.print(output.object().put("path", out.toString()).put("parameters", shape.parameters()).put("bytes", bytes),
        () -> output.out().println(String.format(Locale.ROOT, "%s: %,d parameters, %,d bytes as %s", out, shape
            .parameters(), bytes, dtype)));
  }

  private Storage storage() {
    return switch (dtype.toLowerCase(Locale.ROOT)) {
      case "f32" -> Storage.F32;
      case "bf16" -> Storage.BF16;
      case "nf4" -> Storage.NF4;
      default -> throw new JqloraException(Kind.USAGE,
          "--dtype: %s is none of f32, bf16 and nf4".formatted(FileErrors.quoted(dtype)));
    };
  }

  /** Every id that the tokenizer gives must have a row in the embedding table. */
  private void checkTokenizer(LlamaConfig shape) {
    try (HuggingFaceTokenizer opened = HuggingFaceTokenizer.open(tokenizer)) {
      if (opened.vocabSize() > shape.vocabSize()) {
        throw new JqloraException(Kind.MODEL,
            "the tokenizer in %s has %,d ids, and the model's vocab_size is %,d; choose the tokenizer of a smaller vocabulary or a larger vocab_size"
                .formatted(tokenizer, opened.vocabSize(), shape.vocabSize()));
      }
    }
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
