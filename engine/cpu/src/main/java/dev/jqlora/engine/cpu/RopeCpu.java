package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Rope;
import dev.jqlora.engine.tensor.Shape;

/** {@link RopeKernel}. */
final class RopeCpu implements CpuKernel<Rope> {
  @Override
  public Class<Rope> op() {
    return Rope.class;
  }

  @Override
  public void run(Rope op, Call call) {
    Shape shape = call.output(0).type().shape();
    RopeKernel.rotate(call.workers(), call.in(0), call.in(1), call.in(2), call.in(3), shape.dim(0),
        shape.dim(1) / op.headDim(), op.headDim(), op.inverse(), call.out(0));
  }
}
