package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.tensor.DType;

/**
 * How far a backend's training may be from another's, as shares.
 *
 * @param norm of gradient norms
 */
record Nearness(double loss, double norm) {
  /** The very same numbers. */
  static final Nearness EXACT = new Nearness(0, 0);

  /**
   * @param codes whether the optimizer keeps 8-bit codes, where the least difference may turn one into the next
   */
  static Nearness of(Backend backend, boolean codes) {
    if (backend.products() == DType.BF16) {
      // Factors keep 8 bits, 4e-3; the errors of many cancel, and then grow with the steps.
      return new Nearness(1e-2, 1e-1);
    }
    // Sums in another order.
    return new Nearness(1e-4, codes ? 1e-2 : 1e-3);
  }

  boolean allows(double lossDifference, double normDifference) {
    return lossDifference <= loss && normDifference <= norm;
  }
}
