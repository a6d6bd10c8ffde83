package dev.jqlora.bench;

import dev.jqlora.llama.generate.Generation;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.generate.Sampling;
import dev.jqlora.llama.inference.LoadedModel;
import java.util.Arrays;
import java.util.Set;

/** Text from a model, as {@code jqlora generate} makes it: a prompt that is read, or a token that is added to one. */
final class GenerationRun implements Contender {
  private static final Generator.Options ONE_TOKEN = new Generator.Options(Sampling.GREEDY, 1, Set.of());
  private static final int DECODED_PROMPT = 16;

  private final Generator generator;
  private final int[] ids;
  private final boolean decodes;
  private int length;

  private GenerationRun(LoadedModel model, int capacity, int length, boolean decodes) {
    generator = new Generator(model, capacity);
    ids = new int[capacity];
    this.length = length;
    this.decodes = decodes;
    for (int i = 0; i < length; i++) {
      ids[i] = i % model.config().vocabSize();
    }
  }

  /** Reads prompts of n tokens that have nothing in common. */
  static GenerationRun prefill(LoadedModel model, int n) {
    return new GenerationRun(model, n + 1, n, false);
  }

  /** Adds a token to those before, at each run; begins anew where the context ends. */
  static GenerationRun decode(LoadedModel model, int context) {
    return new GenerationRun(model, context, Math.min(DECODED_PROMPT, context / 2), true);
  }

  @Override
  public void run() {
    Generation generation = generator.generate(Arrays.copyOf(ids, length), ONE_TOKEN, _ -> true);
    if (decodes) {
      ids[length] = generation.ids().getFirst();
      length = length + 1 < ids.length ? length + 1 : Math.min(DECODED_PROMPT, ids.length / 2);
    } else {
      ids[0] = 1 - ids[0];
    }
  }

  /** The model is whose it was. */
  @Override
  public void close() {}
}
