package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.EmbeddingGradient;

/** {@code embedding_gradient.cu}. */
final class EmbeddingGradientCuda implements CudaKernel<EmbeddingGradient> {
  @Override
  public Class<EmbeddingGradient> op() {
    return EmbeddingGradient.class;
  }

  @Override
  public void enqueue(EmbeddingGradient op, Call call) {
    int width = call.output(0).dim(1);
    Driver.fill(call.out(0), 0, Float.BYTES, call.count(), call.launcher().stream());
    call.launch("embedding_gradient", "embedding_gradient", Grid.covering(width), call.in(0), call.in(1),
        call.input(0).dim(0), op.rows(), width, call.out(0));
  }
}
