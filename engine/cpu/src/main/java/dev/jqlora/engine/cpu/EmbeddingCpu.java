package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Embedding;

/** {@link EmbeddingKernel}. */
final class EmbeddingCpu implements CpuKernel<Embedding> {
  @Override
  public Class<Embedding> op() {
    return Embedding.class;
  }

  @Override
  public void run(Embedding op, Call call) {
    EmbeddingKernel.gather(call.workers(), MatrixSource.of(call.input(0)), call.in(1),
        call.output(0).type().shape().dim(0), call.out(0));
  }
}
