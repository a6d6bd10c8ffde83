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

  /** Queries that a block works on. */
  private static final int QUERIES = 16;
  private static final int THREADS = 128;

  @Override
  public Support supports(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(op.headDim(), 0);
  }

  @Override
  public void enqueue(CachedAttention op, Call call) {
    int tokens = call.output(0).dim(0);
    boolean tensorCores = tokens > 1
        && TensorCores.takeHeads(call, op.headDim(), call.in(0), call.in(1), call.in(2));
    call.launcher().launch("cached_attention",
        (tensorCores ? "cached_attention_mma_" : "cached_attention_") + Operands.compiledHead(op.headDim()),
        tensorCores ? TensorCores.heads(tokens, op.heads()) : Grid.of(Math.ceilDiv(tokens, QUERIES), op.heads()),
        THREADS, call.in(0), call.in(1), call.in(2), call.in(3),
        tokens, call.input(1).dim(0), op.heads(), op.kvHeads(), op.headDim(), Operands.scoreFactor(op.headDim()),
        call.out(0));
  }
}
