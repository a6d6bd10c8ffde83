package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = factor · x + offset}; F32. */
public record Scale(float factor, float offset) implements Elementwise {
  public Scale(float factor) {
    this(factor, 0);
  }

  @Override
  public double of(double x) {
    return factor * x + offset;
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(gradient.builder().apply(new Scale(factor), gradient.of(0)));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(outputs.getFirst().elements(), inputs, outputs);
  }
}
