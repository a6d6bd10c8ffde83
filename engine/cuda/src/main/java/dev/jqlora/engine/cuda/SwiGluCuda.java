package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.SwiGlu;

/** {@code swi_glu.cu}. */
final class SwiGluCuda implements CudaKernel<SwiGlu> {
  @Override
  public Class<SwiGlu> op() {
    return SwiGlu.class;
  }

  @Override
  public void enqueue(SwiGlu op, Call call) {
    call.launch("swi_glu", "swi_glu_" + Operands.suffix(call.output(0)), Grid.elements(call.count()), call.in(0),
        call.in(1), call.out(0), call.count());
  }
}
