package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * {@link OneTokenAttention} for the one row of a token being generated, else {@link AttentionKernel}; the logarithm of its
 * denominators goes to scratch memory.
 */
final class CachedAttentionCpu implements CpuKernel<CachedAttention> {
  @Override
  public Class<CachedAttention> op() {
    return CachedAttention.class;
  }

  @Override
  public long scratchBytes(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    int n = outputs.getFirst().shape().dim(0);
    return ofOneToken(n, shape(op))
        ? 0
        : logSumExpBytes(op, n) + AttentionKernel.scratchBytes(shape(op), threads);
  }

  private static AttentionShape shape(CachedAttention op) {
    return new AttentionShape(op.heads(), op.kvHeads(), op.headDim());
  }

  private static boolean ofOneToken(int n, AttentionShape shape) {
    return n == 1 && OneTokenAttention.fits(shape);
  }

  private static long logSumExpBytes(CachedAttention op, int n) {
    return Alignment.roundUp((long) n * op.heads() * Float.BYTES);
  }

  @Override
  public void run(CachedAttention op, Call call) {
    int n = call.output(0).type().shape().dim(0);
    AttentionShape shape = shape(op);
    if (ofOneToken(n, shape)) {
      OneTokenAttention.forward(call.workers(), shape, call.in(0), call.in(1), call.in(2),
          FloatMemory.getInt(call.in(3), 0) + 1, call.out(0));
      return;
    }
    int capacity = call.input(1).type().shape().dim(0);
    MemorySegment scratch = call.scratch();
    long logSumExp = logSumExpBytes(op, n);
    call.context().attention().forward(shape, call.in(0), call.in(1), call.in(2), n, capacity,
        AttentionShape.Visible.cached(call.in(3), n), call.out(0),
        scratch.asSlice(0, (long) n * op.heads() * Float.BYTES), scratch.asSlice(logSumExp));
  }
}
