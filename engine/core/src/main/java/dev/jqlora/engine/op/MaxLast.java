package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The largest element of each row, {@code [..., n] → [..., 1]}; F32. It serves to shift exponents, which changes no result:
 * its gradient counts as zero.
 */
public record MaxLast() implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    TensorType x = inputs.getFirst();
    ShapeException.dtype(name(), "x", x, DType.F32);
    ShapeException.check(x.shape().rank() > 0 && x.shape().last() > 0,
        "MaxLast: x must have elements in its last axis, got %s", x);
    return List.of(x.withShape(x.shape().withLast(1)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    double[] x = inputs.getFirst().data();
    Array64 max = Array64.zeros(outputs.getFirst());
    int n = inputs.getFirst().shape().last();
    for (int row = 0; row < max.data().length; row++) {
      double largest = Double.NEGATIVE_INFINITY;
      for (int i = row * n; i < (row + 1) * n; i++) {
        largest = Math.max(largest, x[i]);
      }
      max.data()[row] = largest;
    }
    return List.of(max);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Collections.singletonList(null);
  }
}
