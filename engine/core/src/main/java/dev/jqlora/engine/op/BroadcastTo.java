package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Broadcast;
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

/** Repeats x to a shape by NumPy's broadcasting. */
public record BroadcastTo(Shape shape) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.check(Broadcast.fits(inputs.getFirst().shape(), shape), "BroadcastTo: %s cannot be broadcast to %s",
        inputs.getFirst(), shape);
    return List.of(inputs.getFirst().withShape(shape));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 x = inputs.getFirst();
    Array64 repeated = Array64.zeros(outputs.getFirst());
    int[] sources = Broadcast.sources(x.shape(), shape);
    for (int i = 0; i < sources.length; i++) {
      repeated.data()[i] = x.data()[sources[i]];
    }
    return List.of(repeated);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(Add.reduced(gradient, 0, gradient.of(0)));
  }
}
