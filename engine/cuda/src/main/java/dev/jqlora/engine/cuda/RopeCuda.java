package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Rope;

/** {@code rope.cu}. */
final class RopeCuda implements CudaKernel<Rope> {
  @Override
  public Class<Rope> op() {
    return Rope.class;
  }

  @Override
  public void enqueue(Rope op, Call call) {
    Buffer y = call.output(0);
    call.launchRows("rope", "rope_" + Operands.suffix(y), y.dim(0), y.dim(1) / 2, call.in(0), call.in(1), call.in(2),
        call.in(3),
        y.dim(1) / op.headDim(), op.headDim() / 2, op.inverse() ? -1f : 1f, y.address());
  }
}
