package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Scale;

/** {@code scale.cu}. */
final class ScaleCuda implements CudaKernel<Scale> {
  @Override
  public Class<Scale> op() {
    return Scale.class;
  }

  @Override
  public void enqueue(Scale op, Call call) {
    call.launch("scale", "scale", Grid.elements(call.count()), call.in(0), op.factor(), op.offset(), call.out(0),
        call.count());
  }
}
