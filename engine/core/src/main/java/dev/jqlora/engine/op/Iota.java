package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** The numbers 0, 1, …, length - 1; I32 {@code [length]}. */
public record Iota(int length) implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 0);
    return List.of(TensorType.i32(length));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 numbers = Array64.zeros(outputs.getFirst());
    for (int i = 0; i < length; i++) {
      numbers.data()[i] = i;
    }
    return List.of(numbers);
  }
}
