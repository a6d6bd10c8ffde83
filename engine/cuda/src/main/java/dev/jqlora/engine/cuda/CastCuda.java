package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Cast;

/** {@code cast.cu}. */
final class CastCuda implements CudaKernel<Cast> {
  @Override
  public Class<Cast> op() {
    return Cast.class;
  }

  @Override
  public void enqueue(Cast op, Call call) {
    call.launch("cast", "cast", Grid.elements(call.count()), call.in(0), Operands.code(call.input(0)), call.out(0),
        Operands.code(call.output(0)), call.count());
  }
}
