package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.SwiGlu;

/** {@link SwiGluKernel}. */
final class SwiGluCpu implements CpuKernel<SwiGlu> {
  @Override
  public Class<SwiGlu> op() {
    return SwiGlu.class;
  }

  @Override
  public void run(SwiGlu op, Call call) {
    SwiGluKernel.forward(call.workers(), call.in(0), call.in(1), call.output(0).type().elements(), call.out(0));
  }
}
