package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;

/** A tensor of one value. */
public record Fill(TensorType type, double value) implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 0);
    return List.of(type);
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 filled = Array64.zeros(type);
    Arrays.fill(filled.data(), value);
    return List.of(filled);
  }
}
