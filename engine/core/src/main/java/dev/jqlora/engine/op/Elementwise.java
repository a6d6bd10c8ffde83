package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** A function of each element by itself, {@code y = f(x)}; F32, and in place. */
interface Elementwise extends Primitive, Differentiable {
  /** {@code f(x)}. */
  double of(double x);

  @Override
  default List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "x", inputs.getFirst(), DType.F32);
    return inputs;
  }

  @Override
  default List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.getFirst().map(this::of));
  }

  @Override
  default boolean inPlace(int input, int output) {
    return true;
  }
}
