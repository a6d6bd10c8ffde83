package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** 1 where {@code a ≤ b}, else 0, as F32; a and b I32, with NumPy's broadcasting. */
public record AtMost() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    TensorType both = Add.inferElementwise(name(), inputs);
    ShapeException.dtype(name(), "a", both, DType.I32);
    return List.of(new TensorType(DType.F32, both.shape()));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.get(0).combine(inputs.get(1), outputs.getFirst(), (a, b) -> a <= b ? 1 : 0));
  }
}
