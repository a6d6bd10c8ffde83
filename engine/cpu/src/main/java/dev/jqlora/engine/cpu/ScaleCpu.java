package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Scale;

/** {@link ElementwiseKernel#scale}. */
final class ScaleCpu implements CpuKernel<Scale> {
  @Override
  public Class<Scale> op() {
    return Scale.class;
  }

  @Override
  public void run(Scale op, Call call) {
    ElementwiseKernel.scale(call.workers(), op.factor(), op.offset(), call.in(0), call.output(0).type().elements(),
        call.out(0));
  }
}
