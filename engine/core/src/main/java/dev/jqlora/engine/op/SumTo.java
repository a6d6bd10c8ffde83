package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Broadcast;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Sums the elements that broadcasting {@code shape} to x's shape would repeat: the transpose of broadcasting. F32. */
public record SumTo(Shape shape) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "x", inputs.getFirst(), DType.F32);
    ShapeException.check(Broadcast.fits(shape, inputs.getFirst().shape()), "SumTo: %s cannot be broadcast to %s", shape,
        inputs.getFirst());
    return List.of(inputs.getFirst().withShape(shape));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 sum = Array64.zeros(outputs.getFirst());
    Array64 x = inputs.getFirst();
    int[] targets = Broadcast.sources(shape, x.shape());
    for (int i = 0; i < targets.length; i++) {
      sum.data()[targets[i]] += x.data()[i];
    }
    return List.of(sum);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(gradient.builder().apply(new BroadcastTo(gradient.input(0).type().shape()), gradient.of(0)));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(inputs.getFirst().elements(), inputs, outputs);
  }
}
