package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Broadcast;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code c = a + b}, with NumPy's broadcasting; equal element types, or F32 and BF16, which give F32. */
public record Add() implements Primitive, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(inferElementwise(name(), inputs));
  }

  static TensorType inferElementwise(String op, List<TensorType> inputs) {
    ShapeException.count(op, inputs, 2);
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    return new TensorType(promoted(op, a, b), Broadcast.shape(op, a.shape(), b.shape()));
  }

  private static DType promoted(String op, TensorType a, TensorType b) {
    boolean promotes = EnumSet.of(a.dtype(), b.dtype()).equals(EnumSet.of(DType.F32, DType.BF16));
    ShapeException.check(promotes || a.dtype() == b.dtype(), "%s: element types differ: %s and %s", op, a, b);
    return promotes ? DType.F32 : a.dtype();
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.get(0).combine(inputs.get(1), outputs.getFirst(), Double::sum));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(reduced(gradient, 0, gradient.of(0)), reduced(gradient, 1, gradient.of(0)));
  }

  /**
   * The gradient of an operand that may have been repeated or promoted: summed back to its shape and in its element type, or
   * null where it is not needed.
   */
  static @Nullable Value reduced(Gradient gradient, int input, Value value) {
    if (!gradient.needs(input)) {
      return null;
    }
    GraphBuilder builder = gradient.builder();
    TensorType type = gradient.input(input).type();
    Value sum = value.type().shape().equals(type.shape())
        ? value
        : builder.apply(new SumTo(type.shape()), MixedPrecision.cast(builder, value, DType.F32));
    return MixedPrecision.cast(builder, sum, type.dtype());
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
