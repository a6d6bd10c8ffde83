package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.Bf16Products;
import dev.jqlora.llama.config.LlamaConfig;

/**
 * How far a backend's training may be from another's, as shares.
 *
 * @param norm of gradient norms
 * @param norms how many of them are compared, from the first step on
 */
record Nearness(double loss, double norm, int norms) {
  /** The very same numbers. */
  static final Nearness EXACT = new Nearness(0, 0, Integer.MAX_VALUE);

  /**
   * How near training on a backend must be to that in float32 or wider.
   *
   * @param codes whether the optimizer keeps 8-bit codes, where the least difference may turn one into the next
   * @param model that is trained
   * @param steps that it is trained for
   * @param tokens of a step
   */
  static Nearness of(Backend backend, boolean codes, LlamaConfig model, int steps, int tokens) {
    if (backend.products() == DType.BF16) {
      // One after the other in a layer: into attention, scores, values, out of it, into and out of the feed-forward
      // part. Then the head; a gradient goes all the way back, and the next step starts from what came of it. A loss is
      // the mean of its tokens', whose errors are independent.
      int products = steps * 2 * (6 * model.layers() + 1);
      double error = Bf16Products.error(products, Math.max(model.intermediateSize(), model.vocabSize()));
      // A moment whose code becomes that of 0 here and not there makes updates, and so later norms, that have little in
      // common.
      return new Nearness(error / Math.sqrt(tokens), error, codes ? 1 : steps);
    }
    // Sums in another order.
    return new Nearness(1e-4, codes ? 1e-2 : 1e-3, steps);
  }

  boolean allows(double lossDifference, double normDifference) {
    return lossDifference <= loss && normDifference <= norm;
  }
}
