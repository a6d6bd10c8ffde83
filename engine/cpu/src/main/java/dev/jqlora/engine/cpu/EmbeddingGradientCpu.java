package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.tensor.Shape;

/** {@link EmbeddingKernel}. */
final class EmbeddingGradientCpu implements CpuKernel<EmbeddingGradient> {
  @Override
  public Class<EmbeddingGradient> op() {
    return EmbeddingGradient.class;
  }

  @Override
  public void run(EmbeddingGradient op, Call call) {
    Shape shape = call.input(1).type().shape();
    EmbeddingKernel.scatterAdd(call.workers(), call.in(0), call.in(1), shape.dim(0), op.rows(), shape.dim(1),
        call.out(0));
  }
}
