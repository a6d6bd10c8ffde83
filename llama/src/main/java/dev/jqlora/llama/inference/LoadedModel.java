package dev.jqlora.llama.inference;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.llama.model.LoraSpec;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.model.Quantization;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A model in a session of its own, for programs that read it: to generate and to score.
 *
 * @param checkpoint what it was loaded from; open as long as the model, since the embedding table may stay there; null
 *     where it is from none
 */
public record LoadedModel(ModelLayout layout, Session session, EmbeddingTable embeddings,
    @Nullable Checkpoint checkpoint)
    implements
      AutoCloseable {
  /**
   * How to load a model.
   *
   * @param positions the longest sequence of the run, in tokens
   * @param adapter folder of a LoRA adapter for it
   */
  public record Options(Quantization quantization, int positions, Optional<Path> adapter) {}

  /**
   * Loads a model folder.
   *
   * @param memoryLimitBytes the most device memory that weights and programs may take together
   * @param progress is told the number of layers that are loaded
   */
  public static LoadedModel open(Backend backend, long memoryLimitBytes, Path folder, Options options,
      IntConsumer progress) {
    LoadedModel model = open(backend, memoryLimitBytes, folder,
        new ModelLoader.Options(options.quantization(), false, options.positions()),
        options.adapter().map(adapter -> AdapterFiles.check(adapter, LlamaConfig.read(folder)).spec()), progress);
    try {
      options.adapter().ifPresent(adapter -> AdapterFiles.load(adapter, model.layout, model.session));
      return model;
    } catch (RuntimeException | Error e) {
      model.close();
      throw e;
    }
  }

  /** Loads a model folder, with states for adapters that are zero as yet. */
  public static LoadedModel open(Backend backend, long memoryLimitBytes, Path folder, ModelLoader.Options options,
      Optional<LoraSpec> lora, IntConsumer progress) {
    LlamaConfig config = LlamaConfig.read(folder);
    Checkpoint checkpoint = Checkpoint.open(folder);
    try {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout layout = loader.layout(options, lora);
      Session session = backend.open(memoryLimitBytes);
      try {
        EmbeddingTable embeddings = loader.load(layout, session, progress);
        layout.adapterStates().forEach(session::allocate);
        return new LoadedModel(layout, session, embeddings, checkpoint);
      } catch (RuntimeException | Error e) {
        session.close();
        throw e;
      }
    } catch (RuntimeException | Error e) {
      checkpoint.close();
      throw e;
    }
  }

  /** The same model with other adapters, whose states must be in the session. */
  public LoadedModel withLora(Optional<LoraSpec> adapters) {
    return new LoadedModel(layout.withLora(adapters), session, embeddings, checkpoint);
  }

  public LlamaConfig config() {
    return layout.config();
  }

  /**
   * Checks a sequence against what the model was made, and loaded, for.
   *
   * @throws JqloraException of kind MODEL where a token is not in the vocabulary, of kind DATA where there are too many
   */
  public void check(int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= config().vocabSize()) {
        throw new JqloraException(Kind.MODEL,
            "token %d is not in the model's vocabulary of %d; does the tokenizer belong to the model?".formatted(id,
                config().vocabSize()));
      }
    }
    if (ids.length > layout.positions()) {
      throw new JqloraException(Kind.DATA, "a sequence has %,d tokens, but the model was loaded for at most %,d"
          .formatted(ids.length, layout.positions()));
    }
  }

  @Override
  public void close() {
    session.close();
    if (checkpoint != null) {
      checkpoint.close();
    }
  }
}
