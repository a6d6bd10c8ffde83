package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code y = 1 / x}; F32. Gradient: {@code dx = -dy · y²}. */
public record Reciprocal() implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "x", inputs.getFirst(), DType.F32);
    return inputs;
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(inputs.getFirst().map(x -> 1 / x));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value square = builder.apply(new Multiply(), gradient.output(0), gradient.output(0));
    return Arrays.asList(builder.apply(new Scale(-1), builder.apply(new Multiply(), gradient.of(0), square)));
  }

  @Override
  public boolean inPlace(int input, int output) {
    return true;
  }
}
