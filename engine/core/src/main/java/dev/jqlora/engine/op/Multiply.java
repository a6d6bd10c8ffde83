package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code c = a · b} element by element, with NumPy's broadcasting; element types as for {@link Add}. */
public record Multiply() implements Primitive, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(Add.inferElementwise(name(), inputs));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.get(0).combine(inputs.get(1), outputs.getFirst(), (a, b) -> a * b));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(operand(gradient, 0), operand(gradient, 1));
  }

  private static @Nullable Value operand(Gradient gradient, int input) {
    return gradient.needs(input)
        ? Add.reduced(gradient, input,
            gradient.builder().apply(new Multiply(), gradient.of(0), gradient.input(1 - input)))
        : null;
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
