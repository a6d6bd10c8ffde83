package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code causal_attention_gradient.cu}. */
final class CausalAttentionGradientCuda implements CudaKernel<CausalAttentionGradient> {
  @Override
  public Class<CausalAttentionGradient> op() {
    return CausalAttentionGradient.class;
  }

  /** Queries, and keys, of a tile. */
  private static final int TILE = 16;
  private static final int THREADS = 128;
  private static final String FILE = "causal_attention_gradient";

  @Override
  public Support supports(CausalAttentionGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(op.headDim(), (long) outputs.getFirst().shape().dim(0) * op.heads() * Float.BYTES);
  }

  @Override
  public void enqueue(CausalAttentionGradient op, Call call) {
    int tokens = call.output(0).dim(0);
    int width = Operands.compiledHead(op.headDim());
    float factor = Operands.scoreFactor(op.headDim());
    int tiles = Math.ceilDiv(tokens, TILE);
    long delta = call.scratch();
    call.launcher().launch(FILE, "attention_delta", Grid.of(Math.ceilDiv((long) tokens * op.heads(), THREADS)), THREADS,
        call.in(4), call.in(6), tokens, op.heads(), op.headDim(), delta);
    call.launcher().launch(FILE, "attention_query_gradient_" + width, Grid.of(tiles, op.heads()), THREADS, call.in(0),
        call.in(1), call.in(2), call.in(3), call.in(5), call.in(6), delta, tokens, op.heads(), op.kvHeads(),
        op.headDim(), factor, call.out(0));
    call.launcher().launch(FILE, "attention_key_gradients_" + width, Grid.of(tiles, op.kvHeads()), THREADS, call.in(0),
        call.in(1), call.in(2), call.in(3), call.in(5), call.in(6), delta, tokens, op.heads(), op.kvHeads(),
        op.headDim(), factor, call.out(1), call.out(2));
  }
}
