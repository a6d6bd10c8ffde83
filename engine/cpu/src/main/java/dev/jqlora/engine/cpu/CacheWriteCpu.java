package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CacheWrite;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Copies the new rows into the cache. */
final class CacheWriteCpu implements CpuKernel<CacheWrite> {
  @Override
  public Class<CacheWrite> op() {
    return CacheWrite.class;
  }

  @Override
  public void run(CacheWrite op, Call call) {
    call.copyThrough(0, 0);
    Tensor rows = call.input(1);
    long first = (long) FloatMemory.getInt(call.in(2), 0) * rows.type().shape().last() * Float.BYTES;
    MemorySegment.copy(rows.data(), 0, call.out(0), first, rows.data().byteSize());
  }
}
