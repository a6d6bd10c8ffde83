package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The same elements under another shape; the output is the input's memory, so it costs nothing. */
public record Reshape(Shape shape) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.check(inputs.getFirst().elements() == shape.elements(), "Reshape: %s has not the elements of %s",
        inputs.getFirst(), shape);
    return List.of(inputs.getFirst().withShape(shape));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    return List.of(new Array64(outputs.getFirst(), inputs.getFirst().data()));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(gradient.builder().apply(new Reshape(gradient.input(0).type().shape()), gradient.of(0)));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return new Cost(0, 0);
  }
}
