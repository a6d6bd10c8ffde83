package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.stream.Stream;

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
    long delta = call.scratch();
    call.launcher().launch(FILE, "attention_delta", Grid.of(Math.ceilDiv((long) tokens * op.heads(), THREADS)), THREADS,
        call.in(4), call.in(6), tokens, op.heads(), op.headDim(), delta);
    List<Object> operands = List.of(call.in(0), call.in(1), call.in(2), call.in(3), call.in(5), call.in(6), delta,
        tokens,
        op.heads(), op.kvHeads(), op.headDim(), factor);
    if (TensorCores.takeHeads(call, op.headDim(), call.in(0), call.in(1), call.in(2), call.in(6))) {
      Grid queries = TensorCores.heads(tokens, op.heads());
      Grid keys = TensorCores.heads(tokens, op.kvHeads());
      launch(call, "attention_query_gradient_mma_" + width, queries, operands, call.out(0));
      launch(call, "attention_key_gradient_mma_" + width, keys, operands, call.out(1));
      launch(call, "attention_value_gradient_mma_" + width, keys, operands, call.out(2));
    } else {
      int tiles = Math.ceilDiv(tokens, TILE);
      launch(call, "attention_query_gradient_" + width, Grid.of(tiles, op.heads()), operands, call.out(0));
      launch(call, "attention_key_gradients_" + width, Grid.of(tiles, op.kvHeads()), operands, call.out(1),
          call.out(2));
    }
  }

  private static void launch(Call call, String kernel, Grid grid, List<Object> operands, Object... results) {
    Object[] arguments = Stream.concat(operands.stream(), Stream.of(results)).toArray();
    call.launcher().launch(FILE, kernel, grid, THREADS, arguments);
  }
}
