package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * The most likely id of each row, without its logits in memory: {@code y[i] = argmax(x[i] · wᵀ)}, the lowest id among
 * equals. x F32 {@code [n, width]}, w F32, BF16 or F16 {@code [vocab, width]}, y I32 {@code [n]}.
 */
public record LinearArgMax() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    ShapeException.matrix(name(), "x", inputs.get(0), DType.F32);
    ShapeException.matrix(name(), "w", inputs.get(1), DType.F32, DType.BF16, DType.F16);
    ShapeException.shape(name(), "w", inputs.get(1),
        Shape.of(inputs.get(1).shape().dim(0), inputs.get(0).shape().last()));
    return List.of(TensorType.i32(inputs.get(0).shape().dim(0)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 ids = Array64.zeros(outputs.getFirst());
    double[] x = inputs.get(0).data();
    double[] w = inputs.get(1).data();
    int width = inputs.get(0).shape().last();
    for (int row = 0; row < ids.data().length; row++) {
      double largest = Double.NEGATIVE_INFINITY;
      for (int id = 0; id < inputs.get(1).shape().dim(0); id++) {
        double logit = 0;
        for (int i = 0; i < width; i++) {
          logit += x[row * width + i] * w[id * width + i];
        }
        if (logit > largest) {
          largest = logit;
          ids.data()[row] = id;
        }
      }
    }
    return List.of(ids);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(2.0 * inputs.getFirst().elements() * inputs.get(1).shape().dim(0), inputs, outputs);
  }
}
