package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.RmsNormGradient;
import dev.jqlora.engine.tensor.Shape;

/** {@link RmsNormKernel}. */
final class RmsNormGradientCpu implements CpuKernel<RmsNormGradient> {
  @Override
  public Class<RmsNormGradient> op() {
    return RmsNormGradient.class;
  }

  @Override
  public void run(RmsNormGradient op, Call call) {
    Shape shape = call.output(0).type().shape();
    RmsNormKernel.inputGradient(call.workers(), call.in(0), call.in(1), call.in(2), shape.dim(0), shape.dim(1),
        op.epsilon(), call.out(0));
  }
}
