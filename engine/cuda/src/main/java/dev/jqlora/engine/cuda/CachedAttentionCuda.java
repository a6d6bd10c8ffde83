package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code cached_attention.cu}. */
final class CachedAttentionCuda implements CudaKernel<CachedAttention> {
  @Override
  public Class<CachedAttention> op() {
    return CachedAttention.class;
  }

  @Override
  public Support supports(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(inputs.getFirst(), op.headDim(), 0);
  }

  @Override
  public void enqueue(CachedAttention op, Call call) {
    Object[] lengths = {call.output(0).dim(0), call.input(1).dim(0)};
    AttentionForward.launch(call, "cached_attention", op.heads(), op.kvHeads(), op.headDim(), lengths, call.out(0));
  }
}
