package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Embedding;

/** {@code embedding.cu}. */
final class EmbeddingCuda implements CudaKernel<Embedding> {
  @Override
  public Class<Embedding> op() {
    return Embedding.class;
  }

  @Override
  public void enqueue(Embedding op, Call call) {
    Buffer table = call.input(0);
    call.launchRows("embedding", "embedding_" + Operands.suffix(table), call.output(0).dim(0), table.dim(1),
        table.address(),
        table.dim(0), call.in(1), table.dim(1), call.out(0));
  }
}
