package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
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
      int size = (int) (end - first);
      long parameterAt = address(parameter, first, size);
      long gradientAt = address(gradient, first, size);
      long mAt = address(m, first, size);
      long vAt = address(v, first, size);
      for (int i = 0; i < size; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(size - i);
        FloatVector g = loadAt(gradientAt + i * STEP, present).mul(scale);
        FloatVector newM = loadAt(mAt + i * STEP, present).mul(coefficients.beta1())
            .add(g.mul(coefficients.gradient1()));
        FloatVector newV = loadAt(vAt + i * STEP, present).mul(coefficients.beta2())
            .add(g.mul(g).mul(coefficients.gradient2()));
        FloatVector update = newM.div(newV.sqrt().div(coefficients.correction()).add(coefficients.epsilon()));
        FloatVector p = loadAt(parameterAt + i * STEP, present).mul(coefficients.decay())
            .add(update.mul(coefficients.stepSize()));
        storeAt(newM, mAt + i * STEP, present);
        storeAt(newV, vAt + i * STEP, present);
        storeAt(p, parameterAt + i * STEP, present);
      }
    });
  }
}
