package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** {@link AttentionKernel}; the logarithm of the denominators goes to scratch memory. */
final class CachedAttentionCpu implements CpuKernel<CachedAttention> {
  @Override
  public Class<CachedAttention> op() {
    return CachedAttention.class;
  }

  @Override
  public long scratchBytes(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return logSumExpBytes(op, outputs.getFirst().shape().dim(0))
        + AttentionKernel.scratchBytes(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()), threads);
  }

  private static long logSumExpBytes(CachedAttention op, int n) {
    return Math.ceilDiv((long) n * op.heads() * Float.BYTES, 64) * 64;
  }

  @Override
  public void run(CachedAttention op, Call call) {
    int n = call.output(0).type().shape().dim(0);
    int capacity = call.input(1).type().shape().dim(0);
    MemorySegment scratch = call.scratch();
    long logSumExp = logSumExpBytes(op, n);
    call.context().attention().forward(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()), call.in(0),
        call.in(1), call.in(2), n, capacity, AttentionShape.Visible.cached(call.in(3), n), call.out(0),
        scratch.asSlice(0, (long) n * op.heads() * Float.BYTES), scratch.asSlice(logSumExp));
  }
}
