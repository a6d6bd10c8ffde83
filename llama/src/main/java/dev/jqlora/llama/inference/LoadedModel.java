package dev.jqlora.llama.inference;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.adapter.AdapterConfig;
import dev.jqlora.llama.adapter.AdapterFiles;
import dev.jqlora.llama.config.LlamaConfig;
import dev.jqlora.llama.model.ModelLayout;
import dev.jqlora.llama.model.ModelLoader;
import dev.jqlora.llama.safetensors.Checkpoint;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.IntConsumer;

/** A model in a session of its own, for programs that read it: to generate and to score. */
public record LoadedModel(ModelLayout layout, Session session) implements AutoCloseable {
  /**
   * How to load a model.
   *
   * @param quantize whether the linear layers become NF4 with double quantization
   * @param positions the longest sequence of the run, in tokens
   * @param adapter folder of a LoRA adapter for it
   */
  public record Options(boolean quantize, int positions, Optional<Path> adapter) {}

  /**
   * Loads a model folder.
   *
   * @param memoryLimitBytes the most device memory that weights and programs may take together
   * @param progress is told the number of layers that are loaded
   */
  public static LoadedModel open(Backend backend, long memoryLimitBytes, Path folder, Options options,
      IntConsumer progress) {
    LlamaConfig config = LlamaConfig.read(folder);
    Session session = backend.open(memoryLimitBytes);
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      ModelLoader loader = new ModelLoader(config, checkpoint);
      ModelLayout layout = loader.layout(new ModelLoader.Options(options.quantize(), true, false, options.positions()),
          options.adapter().map(adapter -> AdapterConfig.read(adapter).spec()));
      loader.load(layout, session, progress);
      layout.adapterStates().forEach(session::allocate);
      options.adapter().ifPresent(adapter -> AdapterFiles.load(adapter, layout, session));
      return new LoadedModel(layout, session);
    } catch (RuntimeException | Error e) {
      session.close();
      throw e;
    }
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
  }
}
