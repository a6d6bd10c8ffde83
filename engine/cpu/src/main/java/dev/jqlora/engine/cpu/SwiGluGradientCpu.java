package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.SwiGluGradient;

/** {@link SwiGluKernel}. */
final class SwiGluGradientCpu implements CpuKernel<SwiGluGradient> {
  @Override
  public Class<SwiGluGradient> op() {
    return SwiGluGradient.class;
  }

  @Override
  public void run(SwiGluGradient op, Call call) {
    SwiGluKernel.gradient(call.workers(), call.in(0), call.in(1), call.in(2), call.output(0).type().elements(),
        call.out(0), call.out(1));
  }
}
