package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.BlockwiseAdamW;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** AdamW with float32 moments, as torch does it: decay before the step, epsilon after the bias correction. */
final class AdamWKernel {
  private AdamWKernel() {}

  /**
   * Updates parameter and moments in place, with g = scale · gradient: {@code m = β₁m + (1-β₁)g},
   * {@code v = β₂v + (1-β₂)g²}, {@code p = p · decay + stepSize · m / (√v / correction + epsilon)}.
   *
   * @param scale factor of gradient clipping
   */
  static void step(Workers workers, MemorySegment parameter, MemorySegment gradient, MemorySegment m, MemorySegment v,
      long count, float scale, BlockwiseAdamW.Coefficients coefficients) {
    workers.ranges(count, (first, end) -> {
      for (long i = first; i < end; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(end - i);
        FloatVector g = load(gradient, i, present).mul(scale);
        FloatVector newM = load(m, i, present).mul(coefficients.beta1()).add(g.mul(coefficients.gradient1()));
        FloatVector newV = load(v, i, present).mul(coefficients.beta2()).add(g.mul(g).mul(coefficients.gradient2()));
        FloatVector update = newM.div(newV.sqrt().div(coefficients.correction()).add(coefficients.epsilon()));
        FloatVector p = load(parameter, i, present).mul(coefficients.decay()).add(update.mul(coefficients.stepSize()));
        store(newM, m, i, present);
        store(newV, v, i, present);
        store(p, parameter, i, present);
      }
    });
  }
}
