package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import java.util.List;

/** The steps that the attention ops' decompositions share; score matrices are {@code [heads, queries, keys]}. */
final class AttentionParts {
  private final GraphBuilder builder;
  private final int heads;
  private final int kvHeads;
  private final int headDim;

  AttentionParts(GraphBuilder builder, int heads, int kvHeads, int headDim) {
    this.builder = builder;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
  }

  /** {@code [n, heads · headDim] → [heads, n, headDim]} */
  Value queryHeads(Value q) {
    return split(q, heads);
  }

  /** {@code [n, kvHeads · headDim] → [heads, n, headDim]}, each head repeated for its group of query heads. */
  Value keyHeads(Value k) {
    int n = k.type().shape().dim(0);
    int group = heads / kvHeads;
    Value apart = builder.apply(new Reshape(Shape.of(kvHeads, 1, n, headDim)), split(k, kvHeads));
    Value repeated = builder.apply(new BroadcastTo(Shape.of(kvHeads, group, n, headDim)), apart);
    return builder.apply(new Reshape(Shape.of(heads, n, headDim)), repeated);
  }

  /** {@code [heads, n, headDim] → [n, heads · headDim]} */
  Value rows(Value perHead) {
    int count = perHead.type().shape().dim(0);
    int n = perHead.type().shape().dim(1);
    Value rows = builder.apply(new Transpose(List.of(1, 0, 2)), perHead);
    return builder.apply(new Reshape(Shape.of(n, count * headDim)), rows);
  }

  /** {@code [heads, n, headDim] → [n, kvHeads · headDim]}, summed over each group of query heads. */
  Value groupSums(Value perHead) {
    int n = perHead.type().shape().dim(1);
    Value grouped = builder.apply(new Reshape(Shape.of(kvHeads, heads / kvHeads, n, headDim)), perHead);
    Value sums = builder.apply(new SumTo(Shape.of(kvHeads, 1, n, headDim)), grouped);
    return rows(builder.apply(new Reshape(Shape.of(kvHeads, n, headDim)), sums));
  }

  Value scores(Value q, Value k) {
    return builder.apply(new Scale(scale()), builder.apply(MatMul.NT, queryHeads(q), keyHeads(k)));
  }

  float scale() {
    return (float) (1 / Math.sqrt(headDim));
  }

  /** 1 where {@code start[i] ≤ j ≤ i}, {@code [n, n]}. */
  Value causalMask(Value start) {
    int n = start.type().shape().dim(0);
    Value keys = builder.apply(new Iota(n));
    Value queries = builder.apply(new Reshape(Shape.of(n, 1)), keys);
    Value fromStart = builder.apply(new AtMost(), builder.apply(new Reshape(Shape.of(n, 1)), start), keys);
    return builder.apply(new Multiply(), fromStart, builder.apply(new AtMost(), keys, queries));
  }

  /** {@code ln Σ exp(score)} over the unmasked keys, {@code [heads, n, 1]}. */
  Value logSumExp(Value scores, Value mask) {
    Value masked = builder.apply(new Add(), builder.apply(new Multiply(), scores, mask),
        builder.apply(new Scale(1e30f, -1e30f), mask));
    Value max = builder.apply(new MaxLast(), masked);
    Value shifted = builder.apply(new Add(), masked, builder.apply(new Scale(-1), max));
    Value sum = builder.apply(new SumTo(max.type().shape()), builder.apply(new Exp(), shifted));
    return builder.apply(new Add(), max, builder.apply(new Log(), sum));
  }

  /** {@code exp(score - logsumexp)}, 0 where masked. */
  Value probabilities(Value scores, Value mask, Value logSumExp) {
    Value shifted = builder.apply(new Add(), scores, builder.apply(new Scale(-1), logSumExp));
    Value unmasked = builder.apply(new Multiply(), shifted, mask);
    return builder.apply(new Multiply(), builder.apply(new Exp(), unmasked), mask);
  }

  private Value split(Value x, int count) {
    int n = x.type().shape().dim(0);
    Value split = builder.apply(new Reshape(Shape.of(n, count, headDim)), x);
    return builder.apply(new Transpose(List.of(1, 0, 2)), split);
  }
}
