package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Broadcast;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code c = a + b}, with NumPy's broadcasting; equal element types. */
public record Add() implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(inferElementwise(name(), inputs));
  }

  static TensorType inferElementwise(String op, List<TensorType> inputs) {
    ShapeException.count(op, inputs, 2);
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    ShapeException.check(a.dtype() == b.dtype(), "%s: element types differ: %s and %s", op, a, b);
    return a.withShape(Broadcast.shape(op, a.shape(), b.shape()));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.get(0).combine(inputs.get(1), outputs.getFirst(), Double::sum));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(reduced(gradient, 0, gradient.of(0)), reduced(gradient, 1, gradient.of(0)));
  }

  /** The gradient of an operand that may have been repeated: summed back to its shape, or null where it is not needed. */
  static @Nullable Value reduced(Gradient gradient, int input, Value value) {
    if (!gradient.needs(input)) {
      return null;
    }
    TensorType type = gradient.input(input).type();
    return value.type().equals(type) ? value : gradient.builder().apply(new SumTo(type.shape()), value);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return true;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(outputs.getFirst().elements(), inputs, outputs);
  }
}
