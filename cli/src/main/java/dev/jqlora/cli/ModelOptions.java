package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.config.GenerationConfig;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.hub.HubModels;
import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.llama.tokenizer.Tokenizer;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The options of every command that reads a model. */
final class ModelOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(names = {"-m",
      "--model"}, paramLabel = "DIR", required = true, description = "The model: a folder in the Hugging Face layout, or a name on the hub such as meta-llama/Llama-3.2-1B.")
  private String model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "A LoRA adapter for it: a run's output folder or a checkpoint-N in it.")
  private @Nullable Path adapter;

  @Mixin
  private QuantizationOptions quantization;

  @Option(names = "--tokenizer", paramLabel = "DIR", description = "The folder of the tokenizer (default: the model's).")
  private @Nullable Path tokenizer;

  @Mixin
  private BackendOptions backend;

  private @Nullable Path folder;

  private PrintWriter err() {
    return command.commandLine().getErr();
  }

  /** The model's folder, fetched where it is a name on the hub. */
  Path folder() {
    Path known = folder;
    if (known == null) {
      try (StatusLine status = new StatusLine(err())) {
        known = HubModels.resolve(model, null, null, null, status::download);
        folder = known;
      }
    }
    return known;
  }

  LlamaConfig config() {
    return LlamaConfig.read(folder());
  }

  HuggingFaceTokenizer tokenizer() {
    return HuggingFaceTokenizer.open(tokenizer == null ? folder() : tokenizer);
  }

  /** The tokens that end a text. */
  Set<Integer> stopIds(Tokenizer opened) {
    Set<Integer> ids = new HashSet<>(GenerationConfig.read(folder(), config()).ids().eos());
    opened.eosId().ifPresent(ids::add);
    return ids;
  }

  /** To be called before anything of the model: it may have to be fetched, and these options may be wrong. */
  Backend openBackend() {
    quantization.or(Quantization.NONE);
    Optional.ofNullable(adapter).ifPresent(AdapterConfig::read);
    return backend.open();
  }

  /** @param positions the longest sequence of the run, in tokens */
  LoadedModel load(Backend opened, int positions) {
    Optional.ofNullable(adapter).flatMap(path -> AdapterConfig.read(path).baseMismatch(model)).ifPresent(
        notice -> err().println("jqlora: note: " + notice));
    LoadedModel.Options options = new LoadedModel.Options(quantization.or(Quantization.NONE),
        positions, Optional.ofNullable(adapter));
    int layers = config().layers();
    try (StatusLine status = new StatusLine(err())) {
      return LoadedModel.open(opened, backend.memoryLimit(), folder(), options, layer -> status.show(
          "loading: %d of %d layers".formatted(layer, layers)));
    }
  }
}
