package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link AttentionKernel}. */
final class CausalAttentionCpu implements CpuKernel<CausalAttention> {
  @Override
  public Class<CausalAttention> op() {
    return CausalAttention.class;
  }

  @Override
  public long scratchBytes(CausalAttention op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return AttentionKernel.scratchBytes(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()), threads);
  }

  @Override
  public void run(CausalAttention op, Call call) {
    int n = call.output(0).type().shape().dim(0);
    call.context().attention().forward(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()), call.in(0),
        call.in(1), call.in(2), n, n, AttentionShape.Visible.causal(call.in(3), n), call.out(0), call.out(1),
        call.scratch());
  }
}
