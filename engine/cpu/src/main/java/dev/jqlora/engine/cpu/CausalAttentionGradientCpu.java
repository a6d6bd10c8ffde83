package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link AttentionGradientKernel}. */
final class CausalAttentionGradientCpu implements CpuKernel<CausalAttentionGradient> {
  @Override
  public Class<CausalAttentionGradient> op() {
    return CausalAttentionGradient.class;
  }

  @Override
  public long scratchBytes(CausalAttentionGradient op, List<TensorType> inputs, List<TensorType> outputs,
      int threads) {
    return AttentionGradientKernel.scratchBytes(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()),
        inputs.getFirst().shape().dim(0), threads);
  }

  @Override
  public void run(CausalAttentionGradient op, Call call) {
    int n = call.output(0).type().shape().dim(0);
    call.context().attentionGradient().backward(new AttentionShape(op.heads(), op.kvHeads(), op.headDim()),
        new AttentionGradientKernel.Tensors(call.in(0), call.in(1), call.in(2), call.in(4), call.in(5), call.in(6),
            call.out(0), call.out(1), call.out(2)),
        n, AttentionShape.Visible.causal(call.in(3), n), call.scratch());
  }
}
