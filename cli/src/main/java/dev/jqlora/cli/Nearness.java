package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.Bf16Products;
import dev.jqlora.llama.config.LlamaConfig;

/** How far the losses and gradient norms of a backend's training may be from another's, as shares. */
record Nearness(double loss, double norm) {
  /** The very same numbers. */
  static final Nearness EXACT = new Nearness(0, 0);

  /**
   * How near training on a backend must be to that in float32 or wider.
   *
   * @param model that is trained
   * @param steps that it is trained for
   * @param tokens of a step
   */
  static Nearness of(Backend backend, LlamaConfig model, int steps, int tokens) {
    if (backend.products() == DType.BF16) {
      // One after the other in a layer: into attention, scores, values, out of it, into and out of the feed-forward
      // part. Then the head; a gradient goes all the way back, and the next step starts from what came of it. A loss is
      // the mean of its tokens', whose errors are independent.
      int products = steps * 2 * (6 * model.layers() + 1);
      double error = Bf16Products.error(products, Math.max(model.intermediateSize(), model.vocabSize()));
      return new Nearness(error / Math.sqrt(tokens), error);
    }
    // Sums in another order.
    return new Nearness(1e-4, 1e-3);
  }

  boolean allows(double lossDifference, double normDifference) {
    return lossDifference <= loss && normDifference <= norm;
  }
}
