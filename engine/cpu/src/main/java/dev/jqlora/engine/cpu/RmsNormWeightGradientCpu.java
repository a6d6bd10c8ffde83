package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.tensor.Shape;

/** {@link RmsNormKernel}. */
final class RmsNormWeightGradientCpu implements CpuKernel<RmsNormWeightGradient> {
  @Override
  public Class<RmsNormWeightGradient> op() {
    return RmsNormWeightGradient.class;
  }

  @Override
  public void run(RmsNormWeightGradient op, Call call) {
    Shape shape = call.input(0).type().shape();
    RmsNormKernel.weightGradient(call.workers(), call.in(0), call.in(1), shape.dim(0), shape.dim(1), op.epsilon(),
        call.out(0));
  }
}
