package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.tensor.Shape;

/** {@link RmsNormKernel}. */
final class RmsNormCpu implements CpuKernel<RmsNorm> {
  @Override
  public Class<RmsNorm> op() {
    return RmsNorm.class;
  }

  @Override
  public void run(RmsNorm op, Call call) {
    Shape shape = call.output(0).type().shape();
    RmsNormKernel.forward(call.workers(), call.in(0), call.in(1), shape.dim(0), shape.dim(1), op.epsilon(),
        call.out(0));
  }
}
