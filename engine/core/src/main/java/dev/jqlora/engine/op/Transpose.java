package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** Axis i of the output is axis {@code axes[i]} of the input. */
public record Transpose(List<Integer> axes) implements Primitive, Differentiable {
  public Transpose {
    axes = List.copyOf(axes);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    Shape shape = inputs.getFirst().shape();
    ShapeException.check(
        axes.stream().sorted().toList().equals(IntStream.range(0, shape.rank()).boxed().toList()),
        "Transpose: %s is no order of the axes of %s", axes, inputs.getFirst());
    return List.of(inputs.getFirst().withShape(new Shape(axes.stream().map(shape::dim).toList())));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 x = inputs.getFirst();
    Array64 y = Array64.zeros(outputs.getFirst());
    int rank = axes.size();
    int[] strides = new int[rank];
    for (int axis = rank - 1, stride = 1; axis >= 0; axis--) {
      strides[axis] = stride;
      stride *= x.shape().dim(axis);
    }
    for (int i = 0; i < y.data().length; i++) {
      int source = 0;
      for (int axis = rank - 1, rest = i; axis >= 0; axis--) {
        source += rest % y.shape().dim(axis) * strides[axes.get(axis)];
        rest /= y.shape().dim(axis);
      }
      y.data()[i] = x.data()[source];
    }
    return List.of(y);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    Integer[] inverse = new Integer[axes.size()];
    for (int i = 0; i < inverse.length; i++) {
      inverse[axes.get(i)] = i;
    }
    return Arrays.asList(gradient.builder().apply(new Transpose(List.of(inverse)), gradient.of(0)));
  }
}
