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
 * Grouped-query attention of new tokens over a key-value cache: query i sees cache rows {@code 0 … positions[i]}.
 * Inputs: q F32 {@code [n, heads · headDim]}, the caches of keys and of values F32 {@code [capacity, kvHeads · headDim]},
 * positions I32 {@code [n]}. Output like q.
 */
public record CachedAttention(int heads, int kvHeads, int headDim) implements Composite {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 4);
    ShapeException.check(kvHeads > 0 && heads % kvHeads == 0, "%s: %d heads cannot share %d key-value heads", name(),
        heads, kvHeads);
    ShapeException.matrix(name(), "q", inputs.get(0), DType.F32);
    ShapeException.shape(name(), "q", inputs.get(0), Shape.of(inputs.get(0).shape().dim(0), heads * headDim));
    ShapeException.matrix(name(), "keys", inputs.get(1), DType.F32);
    ShapeException.shape(name(), "keys", inputs.get(1), Shape.of(inputs.get(1).shape().dim(0), kvHeads * headDim));
    ShapeException.check(inputs.get(2).equals(inputs.get(1)), "CachedAttention: values are %s but keys are %s",
        inputs.get(2), inputs.get(1));
    ShapeException.dtype(name(), "positions", inputs.get(3), DType.I32);
    ShapeException.shape(name(), "positions", inputs.get(3), Shape.of(inputs.get(0).shape().dim(0)));
    return List.of(inputs.getFirst());
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    AttentionParts parts = new AttentionParts(builder, heads, kvHeads, headDim);
    int n = inputs.getFirst().type().shape().dim(0);
    Value scores = parts.scores(inputs.get(0), inputs.get(1));
    Value last = builder.apply(new Reshape(Shape.of(n, 1)), inputs.get(3));
    Value mask = builder.apply(new AtMost(), builder.apply(new Iota(inputs.get(1).type().shape().dim(0))), last);
    Value p = parts.probabilities(scores, mask, parts.logSumExp(scores, mask));
    return List.of(parts.rows(builder.apply(MatMul.NN, p, parts.keyHeads(inputs.get(2)))));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double capacity = inputs.get(1).shape().dim(0);
    return Cost.of(4 * capacity * outputs.getFirst().elements(), inputs, outputs);
  }
}
