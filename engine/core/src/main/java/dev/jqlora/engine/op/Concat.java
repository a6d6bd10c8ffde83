package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Joins {@code parts} tensors along an axis; all other extents equal. */
public record Concat(int axis, int parts) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, parts);
    TensorType first = inputs.getFirst();
    long extent = 0;
    for (TensorType type : inputs) {
      ShapeException.check(
          axis >= 0 && axis < first.shape().rank() && type.dtype() == first.dtype()
              && type.shape().rank() == first.shape().rank()
              && Slice.extent(type.shape(), axis, 0).equals(Slice.extent(first.shape(), axis, 0)),
          "Concat: %s does not fit %s along axis %d", type, first, axis);
      extent += type.shape().dim(axis);
    }
    ShapeException.check(extent <= Integer.MAX_VALUE, "Concat: %d elements along axis %d are more than an axis holds",
        extent, axis);
    return List.of(first.withShape(Slice.extent(first.shape(), axis, (int) extent)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 joined = Array64.zeros(outputs.getFirst());
    Shape shape = joined.shape();
    int inner = 1;
    for (int i = axis + 1; i < shape.rank(); i++) {
      inner *= shape.dim(i);
    }
    int stride = shape.dim(axis) * inner;
    int offset = 0;
    for (Array64 part : inputs) {
      int run = part.shape().dim(axis) * inner;
      for (int i = 0; run > 0 && i < part.data().length / run; i++) {
        System.arraycopy(part.data(), i * run, joined.data(), i * stride + offset, run);
      }
      offset += run;
    }
    return List.of(joined);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    List<@Nullable Value> gradients = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < parts; i++) {
      int size = gradient.input(i).type().shape().dim(axis);
      gradients.add(
          gradient.needs(i) ? gradient.builder().apply(new Slice(axis, start, size), gradient.of(0)) : null);
      start += size;
    }
    return gradients;
  }
}
