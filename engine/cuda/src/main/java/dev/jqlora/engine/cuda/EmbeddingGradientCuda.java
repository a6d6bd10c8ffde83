package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.tensor.DType;

/** {@code embedding_gradient.cu}. */
final class EmbeddingGradientCuda implements CudaKernel<EmbeddingGradient> {
  @Override
  public Class<EmbeddingGradient> op() {
    return EmbeddingGradient.class;
  }

  @Override
  public void enqueue(EmbeddingGradient op, Call call) {
    int width = call.output(0).dim(1);
    call.fillWithZeros(call.out(0), DType.F32, call.count());
    call.launch("embedding_gradient", "embedding_gradient", Grid.covering(width), call.in(0), call.in(1),
        call.input(0).dim(0), op.rows(), width, call.out(0));
  }
}
