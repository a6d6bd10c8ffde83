package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * A key or value cache with new rows in it: rows {@code position, position + 1, …} of the cache are replaced. Inputs:
 * cache F32 {@code [capacity, width]}, rows F32 {@code [n, width]}, position I32 scalar with
 * {@code 0 ≤ position ≤ capacity - n}.
 */
public record CacheWrite() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 3);
    ShapeException.matrix(name(), "cache", inputs.get(0), DType.F32);
    ShapeException.matrix(name(), "rows", inputs.get(1), DType.F32);
    ShapeException.check(inputs.get(1).shape().last() == inputs.get(0).shape().last()
        && inputs.get(1).shape().dim(0) <= inputs.get(0).shape().dim(0), "CacheWrite: rows %s do not fit cache %s",
        inputs.get(1), inputs.get(0));
    ShapeException.dtype(name(), "position", inputs.get(2), DType.I32);
    ShapeException.rank(name(), "position", inputs.get(2), 0);
    return List.of(inputs.getFirst());
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    double[] rows = inputs.get(1).data();
    double[] cache = inputs.get(0).data().clone();
    int first = (int) inputs.get(2).data()[0] * outputs.getFirst().shape().last();
    System.arraycopy(rows, 0, cache, first, rows.length);
    return List.of(new Array64(outputs.getFirst(), cache));
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 0;
  }
}
