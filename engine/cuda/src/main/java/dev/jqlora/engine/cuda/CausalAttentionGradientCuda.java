package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
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
  private static final String FILE = "causal_attention_gradient";

  @Override
  public Support supports(CausalAttentionGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.attention(inputs.getFirst(), op.headDim(),
        (long) outputs.getFirst().shape().dim(0) * op.heads() * Float.BYTES);
  }

  @Override
  public void enqueue(CausalAttentionGradient op, Call call) {
    int tokens = call.output(0).dim(0);
    int width = Operands.compiledHead(op.headDim());
    float factor = Operands.scoreFactor(op.headDim());
    long delta = call.scratch();
    call.launcher().launch(FILE, "attention_delta_" + Operands.suffix(call.input(6)),
        Grid.of(Math.ceilDiv((long) tokens * op.heads(), AttentionForward.THREADS)), AttentionForward.THREADS,
        call.in(4), call.in(6), tokens, op.heads(), op.headDim(), delta);
    List<Object> operands = List.of(call.in(0), call.in(1), call.in(2), call.in(3), call.in(5), call.in(6), delta,
        tokens,
        op.heads(), op.kvHeads(), op.headDim(), factor);
    if (TensorCores.takeHeads(call, op.headDim(), call.in(0), call.in(1), call.in(2), call.in(6))) {
      String kernels = call.input(0).type().dtype() == DType.BF16 ? "mma_bf16_" + width : "mma_" + width;
      Grid queries = TensorCores.heads(tokens, op.heads());
      Grid keys = TensorCores.heads(tokens, op.kvHeads());
      launch(call, "attention_query_gradient_" + kernels, queries, operands, call.out(0));
      launch(call, "attention_key_gradient_" + kernels, keys, operands, call.out(1));
      launch(call, "attention_value_gradient_" + kernels, keys, operands, call.out(2));
    } else {
      int tiles = Math.ceilDiv(tokens, TILE);
      launch(call, "attention_query_gradient_" + width, Grid.of(tiles, op.heads()), operands, call.out(0));
      launch(call, "attention_key_gradients_" + width, Grid.of(tiles, op.kvHeads()), operands, call.out(1),
          call.out(2));
    }
  }

  private static void launch(Call call, String kernel, Grid grid, List<Object> operands, Object... results) {
    Object[] arguments = Stream.concat(operands.stream(), Stream.of(results)).toArray();
    call.launcher().launch(FILE, kernel, grid, AttentionForward.THREADS, arguments);
  }
}
