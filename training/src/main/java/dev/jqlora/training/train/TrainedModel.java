package dev.jqlora.training.train;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.adapter.LoraInit;
import dev.jqlora.llama.config.GenerationConfig;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.files.AtomicFile;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.model.ModelWriter;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.tokenizer.HuggingFaceTokenizer;
import dev.jqlora.training.config.FinetuningArguments;
import dev.jqlora.training.config.FinetuningType;
import dev.jqlora.training.config.TrainingArguments;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The model of a run in its session: the base, and what is trained of it. */
final class TrainedModel implements AutoCloseable {
  private final TrainingArguments arguments;
  private final Path folder;
  private final LlamaConfig config;
  private final HuggingFaceTokenizer tokenizer;
  private final @Nullable AdapterConfig adapter;
  private final Checkpoint checkpoint;
  private final ModelLoader loader;
  private @Nullable Session session;
  private @Nullable ModelLayout layout;
  private @Nullable EmbeddingTable embeddings;

  private TrainedModel(TrainingArguments arguments, Path folder, LlamaConfig config, HuggingFaceTokenizer tokenizer,
      @Nullable AdapterConfig adapter, Checkpoint checkpoint) {
    this.arguments = arguments;
    this.folder = folder;
    this.config = config;
    this.tokenizer = tokenizer;
    this.adapter = adapter;
    this.checkpoint = checkpoint;
    this.loader = new ModelLoader(config, checkpoint);
  }

  /** Reads the descriptions, not yet the weights. */
  static TrainedModel open(TrainingArguments arguments, Path folder, Consumer<String> notices) {
    LlamaConfig config = LlamaConfig.read(folder);
    requireTrainable(arguments, config);
    if (config.quantization().isPresent() && arguments.model().quantized()) {
      notices.accept(folder + " is quantized already; quantization_bit has no effect");
    }
    AdapterConfig adapter = null;
    if (arguments.finetuning().type() == FinetuningType.LORA) {
      Path given = arguments.model().adapter();
      adapter = given == null ? fresh(arguments) : AdapterFiles.check(given, config);
      adapter.baseMismatch(arguments.model().modelNameOrPath()).ifPresent(notices);
    }
    HuggingFaceTokenizer tokenizer = HuggingFaceTokenizer.open(folder);
    try {
      if (tokenizer.vocabSize() > config.vocabSize()) {
        notices.accept("the tokenizer has %,d ids, the model %,d; an id beyond the model's is an error when it occurs"
            .formatted(tokenizer.vocabSize(), config.vocabSize()));
      }
      return new TrainedModel(arguments, folder, config, tokenizer, adapter, Checkpoint.open(folder));
    } catch (RuntimeException e) {
      tokenizer.close();
      throw e;
    }
  }

  /** Refuses to train all of a model that is stored quantized. */
  static void requireTrainable(TrainingArguments arguments, LlamaConfig config) {
    if (config.quantization().isPresent() && arguments.finetuning().type() == FinetuningType.FULL) {
      throw new JqloraException(Kind.CONFIG, arguments.model().modelNameOrPath()
          + " is quantized and cannot be trained whole; "
          + "expected finetuning_type: lora, or a model that is not quantized");
    }
  }

  /** The adapter that a configuration describes itself. */
  static AdapterConfig fresh(TrainingArguments arguments) {
    FinetuningArguments lora = arguments.finetuning();
    return new AdapterConfig(arguments.model().modelNameOrPath(), lora.loraRank(), lora.loraAlpha(),
        lora.loraDropout(), lora.useRslora(), AdapterConfig.targets(lora.loraTarget()));
  }

  LlamaConfig config() {
    return config;
  }

  HuggingFaceTokenizer tokenizer() {
    return tokenizer;
  }

  Session session() {
    return Objects.requireNonNull(session);
  }

  ModelLayout layout() {
    return Objects.requireNonNull(layout);
  }

  EmbeddingTable embeddings() {
    return Objects.requireNonNull(embeddings);
  }

  /**
   * How it will lie in memory; reads no weight.
   *
   * @param positions the longest sequence, in tokens
   */
  ModelLayout layout(int positions) {
    return loader.layout(RunShape.loading(arguments, positions), Optional.ofNullable(adapter).map(AdapterConfig::spec));
  }

  /**
   * Opens a session and fills it.
   *
   * @param limitBytes the most device memory that the session may take
   */
  void load(Backend backend, ModelLayout planned, long limitBytes) {
    Session opened = backend.open(limitBytes);
    session = opened;
    layout = planned;
    embeddings = loader.load(planned, opened, _ -> {
    });
    planned.adapterStates().forEach(opened::allocate);
    Path given = arguments.model().adapter();
    if (adapter != null && given != null) {
      AdapterFiles.load(given, planned, opened);
    } else if (adapter != null) {
      DType base = config.dtype().orElse(planned.tableDtype());
      LoraInit.fill(planned, opened, arguments.trainer().seed(), base);
    }
  }

  /**
   * Makes sure that what a checkpoint's adapter learned counts as much in this run; says where its base model was another.
   *
   * @throws JqloraException {@code CONFIG} where it was scaled otherwise
   */
  void requireSame(Path saved, Consumer<String> notices) {
    if (adapter == null) {
      return;
    }
    AdapterConfig before = AdapterConfig.read(saved);
    if (!before.spec().scales().equals(adapter.spec().scales())) {
      throw new JqloraException(Kind.CONFIG,
          "%s was saved with %s, now it is %s; go on with the same values, or start anew with overwrite_output_dir: true"
              .formatted(saved, scaling(before), scaling(adapter)));
    }
    before.baseMismatch(arguments.model().modelNameOrPath()).ifPresent(notices);
  }

  private static String scaling(AdapterConfig adapter) {
    return "lora_alpha %s and lora_rank %d%s for %d projections".formatted(adapter.alpha(), adapter.rank(),
        adapter.rsLora() ? " by use_rslora" : "", adapter.targets().size());
  }

  /** Puts the trained parameters of an earlier save in the place of the present ones. */
  void restore(Path saved) {
    if (adapter != null) {
      AdapterFiles.load(saved, layout(), session());
      return;
    }
    try (Checkpoint weights = Checkpoint.open(saved)) {
      new ModelLoader(config, weights).fill(layout(), session(), _ -> {
      });
    }
  }

  /** Writes the trained parameters and what is needed to use them. */
  void save(Path target) {
    if (adapter != null) {
      AdapterFiles.save(target, adapter, layout(), session());
    } else {
      ModelWriter.save(target, layout(), session());
      AtomicFile.copyIfPresent(folder.resolve(GenerationConfig.FILE), target.resolve(GenerationConfig.FILE));
    }
    tokenizer.files().copyTo(target);
  }

  List<Trainable> trainables() {
    return Trainable.of(layout(), arguments.finetuning().type());
  }

  Path folder() {
    return folder;
  }

  @Override
  public void close() {
    if (session != null) {
      session.close();
    }
    checkpoint.close();
    tokenizer.close();
  }
}
