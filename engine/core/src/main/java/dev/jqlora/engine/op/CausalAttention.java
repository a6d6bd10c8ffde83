package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Causal grouped-query attention over one run of tokens that holds one or more sequences. Query i sees keys
 * {@code start[i] ≤ j ≤ i}, so sequences stand one behind another without padding. Query head h reads key-value head
 * {@code h / (heads / kvHeads)}. Per head: {@code out = softmax(q·kᵀ / √headDim) · v}.
 *
 * <p>Inputs: q {@code [n, heads · headDim]}, k and v {@code [n, kvHeads · headDim]}, start I32 {@code [n]};
 * q, k and v all F32 or all BF16.
 * Outputs: out like q, and the logarithm of each softmax's denominator, logsumexp F32 {@code [n, heads]}, which the
 * gradient needs. A kernel holds no {@code [n, n]} tensor (Dao et al. 2022, arXiv 2205.14135).
 */
public record CausalAttention(int heads, int kvHeads,
    int headDim) implements Composite, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 4);
    ShapeException.check(kvHeads > 0 && heads % kvHeads == 0, "%s: %d heads cannot share %d key-value heads", name(),
        heads, kvHeads);
    MixedPrecision.checkRows(name(), "q", inputs.get(0));
    int n = inputs.get(0).shape().dim(0);
    ShapeException.shape(name(), "q", inputs.get(0), Shape.of(n, heads * headDim));
    for (int i = 1; i <= 2; i++) {
      String argument = i == 1 ? "k" : "v";
      MixedPrecision.checkRows(name(), argument, inputs.get(i));
      MixedPrecision.checkAlike(name(), argument, inputs.get(i), "q", inputs.get(0));
      ShapeException.shape(name(), argument, inputs.get(i), Shape.of(n, kvHeads * headDim));
    }
    ShapeException.dtype(name(), "start", inputs.get(3), DType.I32);
    ShapeException.shape(name(), "start", inputs.get(3), Shape.of(n));
    return List.of(inputs.getFirst(), TensorType.f32(n, heads));
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    AttentionParts parts = new AttentionParts(builder, heads, kvHeads, headDim);
    Value scores = parts.scores(inputs.get(0), inputs.get(1));
    Value mask = parts.causalMask(inputs.get(3));
    Value lse = parts.logSumExp(scores, mask);
    Value p = parts.probabilities(scores, mask, lse);
    Value out = builder.apply(MatMul.NN, p, parts.keyHeads(inputs.get(2)));
    int n = inputs.getFirst().type().shape().dim(0);
    Value flat = builder.apply(new Reshape(Shape.of(heads, n)), lse);
    return List.of(parts.rows(out), builder.apply(new Transpose(List.of(1, 0)), flat));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    if (gradient.outputGradients().get(1) != null) {
      throw new IllegalStateException("CausalAttention: logsumexp is there for the gradient and has none itself");
    }
    List<Value> parts = gradient.builder().applyAll(new CausalAttentionGradient(heads, kvHeads, headDim),
        List.of(gradient.input(0), gradient.input(1), gradient.input(2), gradient.input(3), gradient.output(0),
            gradient.output(1), gradient.of(0)));
    return Arrays.asList(parts.get(0), parts.get(1), parts.get(2), null);
  }

  @Override
  public boolean worthSaving() {
    return true;
  }

  /** Counts the pairs of one sequence of n tokens, the most there can be. */
  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double n = inputs.getFirst().shape().dim(0);
    return Cost.of(4 * heads * headDim * n * (n + 1) / 2, inputs, outputs);
  }
}
