package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * The gradient of {@link CausalAttention}. Per head, with {@code p = exp(q·kᵀ / √headDim - logsumexp)} computed again:
 * {@code dv = pᵀ·dout}, {@code ds = p · (dout·vᵀ - Σ dout · out)}, {@code dq = ds·k / √headDim},
 * {@code dk = dsᵀ·q / √headDim}; dk and dv are summed over the query heads of a group.
 *
 * <p>Inputs: q, k, v, start, out, logsumexp, dout; all but start and logsumexp stored alike. Outputs: dq, dk, dv.
 */
public record CausalAttentionGradient(int heads, int kvHeads, int headDim) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 7);
    List<TensorType> forward = new CausalAttention(heads, kvHeads, headDim).infer(inputs.subList(0, 4));
    ShapeException.shape(name(), "out", inputs.get(4), forward.get(0).shape());
    ShapeException.shape(name(), "logsumexp", inputs.get(5), forward.get(1).shape());
    ShapeException.shape(name(), "dout", inputs.get(6), forward.get(0).shape());
    ShapeException.dtype(name(), "logsumexp", inputs.get(5), DType.F32);
    MixedPrecision.checkAlike(name(), "out", inputs.get(4), "q", inputs.get(0));
    MixedPrecision.checkAlike(name(), "dout", inputs.get(6), "q", inputs.get(0));
    return inputs.subList(0, 3);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    AttentionParts parts = new AttentionParts(builder, heads, kvHeads, headDim);
    int n = inputs.getFirst().type().shape().dim(0);
    Value lse = builder.apply(new Reshape(Shape.of(heads, n, 1)),
        builder.apply(new Transpose(List.of(1, 0)), inputs.get(5)));
    Value p = parts.probabilities(parts.scores(inputs.get(0), inputs.get(1)), parts.causalMask(inputs.get(3)), lse);
    Value out = parts.queryHeads(inputs.get(4));
    Value dout = parts.queryHeads(inputs.get(6));
    Value dv = builder.apply(MatMul.TN, p, dout);
    Value dp = builder.apply(MatMul.NT, dout, parts.keyHeads(inputs.get(2)));
    Value delta = builder.apply(new SumTo(Shape.of(heads, n, 1)), builder.apply(new Multiply(), dout, out));
    Value difference = builder.apply(new Add(), dp, builder.apply(new Scale(-1), delta));
    Value ds = builder.apply(new Scale(parts.scale()), builder.apply(new Multiply(), p, difference));
    Value dq = builder.apply(MatMul.NN, ds, parts.keyHeads(inputs.get(1)));
    Value dk = builder.apply(MatMul.TN, ds, parts.queryHeads(inputs.get(0)));
    return List.of(parts.rows(dq), parts.groupSums(dk), parts.groupSums(dv));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double n = inputs.getFirst().shape().dim(0);
    return Cost.of(10 * heads * headDim * n * (n + 1) / 2, inputs, outputs);
  }
}
