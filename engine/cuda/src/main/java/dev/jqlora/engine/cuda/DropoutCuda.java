package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Dropout;

/** {@code dropout.cu}. */
final class DropoutCuda implements CudaKernel<Dropout> {
  @Override
  public Class<Dropout> op() {
    return Dropout.class;
  }

  @Override
  public void enqueue(Dropout op, Call call) {
    call.launch("dropout", "dropout_" + Operands.suffix(call.output(0)), Grid.elements(call.count()), call.in(0),
        call.in(1), call.in(2), op.site(),
        op.p(), call.out(0), call.count());
  }
}
