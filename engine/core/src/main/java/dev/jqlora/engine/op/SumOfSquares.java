package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code Σ x²} over all elements, an F32 scalar; x F32. The square of a gradient's norm. */
public record SumOfSquares() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "x", inputs.getFirst(), DType.F32);
    return List.of(TensorType.f32());
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    double sum = 0;
    for (double x : inputs.getFirst().data()) {
      sum += x * x;
    }
    return List.of(new Array64(outputs.getFirst(), new double[]{sum}));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(2.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
