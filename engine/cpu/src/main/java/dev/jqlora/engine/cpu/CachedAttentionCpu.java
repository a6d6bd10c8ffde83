package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link AttentionKernel}; the logarithm of the denominators goes to scratch memory. */
final class CachedAttentionCpu implements CpuKernel<CachedAttention> {
  @Override
  public Class<CachedAttention> op() {
    return CachedAttention.class;
  }

  @Override
  public Support supports(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native((long) outputs.getFirst().shape().dim(0) * op.heads() * Float.BYTES);
  }

  @Override
  public void run(CachedAttention op, Call call) {
    int n = call.output(0).type().shape().dim(0);
    int capacity = call.input(1).type().shape().dim(0);
    call.context().attention().forward(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()), call.in(0),
        call.in(1), call.in(2), n, capacity, AttentionShape.Visible.cached(call.in(3), n), call.out(0), call.scratch());
  }
}
