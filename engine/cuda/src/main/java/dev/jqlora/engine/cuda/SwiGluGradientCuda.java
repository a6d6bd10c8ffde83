package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.SwiGluGradient;

/** {@code swi_glu_gradient.cu}. */
final class SwiGluGradientCuda implements CudaKernel<SwiGluGradient> {
  @Override
  public Class<SwiGluGradient> op() {
    return SwiGluGradient.class;
  }

  @Override
  public void enqueue(SwiGluGradient op, Call call) {
    call.launch("swi_glu_gradient", "swi_glu_gradient_" + Operands.suffix(call.output(0)), Grid.elements(call.count()),
        call.in(0), call.in(1),
        call.in(2), call.out(0), call.out(1), call.count());
  }
}
