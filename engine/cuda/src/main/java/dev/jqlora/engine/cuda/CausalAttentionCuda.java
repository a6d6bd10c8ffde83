package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code causal_attention.cu}. */
final class CausalAttentionCuda implements CudaKernel<CausalAttention> {
  @Override
  public Class<CausalAttention> op() {
    return CausalAttention.class;
  }

  @Override
  public Support supports(CausalAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(inputs.getFirst(), op.headDim(), 0);
  }

  @Override
  public void enqueue(CausalAttention op, Call call) {
    Object[] lengths = {call.output(0).dim(0)};
    AttentionForward.launch(call, "causal_attention", op.heads(), op.kvHeads(), op.headDim(), lengths, call.out(0),
        call.out(1));
  }
}
