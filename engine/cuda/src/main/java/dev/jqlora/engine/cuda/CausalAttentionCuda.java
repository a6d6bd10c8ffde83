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

  /** Queries that a block works on. */
  private static final int QUERIES = 16;
  private static final int THREADS = 128;

  @Override
  public Support supports(CausalAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(op.headDim(), 0);
  }

  @Override
  public void enqueue(CausalAttention op, Call call) {
    int tokens = call.output(0).dim(0);
    boolean tensorCores = TensorCores.takeHeads(call, op.headDim(), call.in(0), call.in(1), call.in(2));
    call.launcher().launch("causal_attention",
        (tensorCores ? "causal_attention_mma_" : "causal_attention_") + Operands.compiledHead(op.headDim()),
        tensorCores ? TensorCores.heads(tokens, op.heads()) : Grid.of(Math.ceilDiv(tokens, QUERIES), op.heads()),
        THREADS,
        call.in(0), call.in(1), call.in(2), call.in(3), tokens, op.heads(), op.kvHeads(), op.headDim(),
        Operands.scoreFactor(op.headDim()), call.out(0), call.out(1));
  }
}
