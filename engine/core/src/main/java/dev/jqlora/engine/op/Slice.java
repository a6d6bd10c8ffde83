package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Elements {@code start ≤ i < start + size} along an axis. */
public record Slice(int axis, int start, int size) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    Shape shape = inputs.getFirst().shape();
    ShapeException.check(axis >= 0 && axis < shape.rank() && start >= 0 && size >= 0 && size <= shape.dim(axis) - start,
        "Slice: axis %d from %d, %d long, is not within %s", axis, start, size, inputs.getFirst());
    return List.of(inputs.getFirst().withShape(extent(shape, axis, size)));
  }

  static Shape extent(Shape shape, int axis, int extent) {
    List<Integer> dims = new ArrayList<>(shape.dims());
    dims.set(axis, extent);
    return new Shape(dims);
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 x = inputs.getFirst();
    Array64 y = Array64.zeros(outputs.getFirst());
    int inner = 1;
    for (int i = axis + 1; i < x.shape().rank(); i++) {
      inner *= x.shape().dim(i);
    }
    int run = size * inner;
    int stride = x.shape().dim(axis) * inner;
    for (int i = 0; run > 0 && i < y.data().length / run; i++) {
      System.arraycopy(x.data(), i * stride + start * inner, y.data(), i * run, run);
    }
    return List.of(y);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    TensorType type = gradient.input(0).type();
    int extent = type.shape().dim(axis);
    List<Value> parts = new ArrayList<>();
    if (start > 0) {
      parts.add(builder.apply(new Fill(type.withShape(extent(type.shape(), axis, start)), 0)));
    }
    parts.add(gradient.of(0));
    if (start + size < extent) {
      parts.add(builder.apply(new Fill(type.withShape(extent(type.shape(), axis, extent - start - size)), 0)));
    }
    return Arrays.asList(builder.applyAll(new Concat(axis, parts.size()), parts).getFirst());
  }
}
