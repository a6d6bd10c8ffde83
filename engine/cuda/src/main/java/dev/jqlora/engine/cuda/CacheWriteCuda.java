package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CacheWrite;

/** {@code cache_write.cu}. */
final class CacheWriteCuda implements CudaKernel<CacheWrite> {
  @Override
  public Class<CacheWrite> op() {
    return CacheWrite.class;
  }

  @Override
  public void enqueue(CacheWrite op, Call call) {
    call.copyThrough(0, 0);
    long count = call.input(1).type().elements();
    call.launch("cache_write", "cache_write", Grid.elements(count), call.in(1), count, call.in(2),
        call.input(1).dim(1), call.out(0));
  }
}
