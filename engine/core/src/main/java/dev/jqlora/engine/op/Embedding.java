package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rows of a table: {@code y[i] = table[ids[i]]}. Table {@code [rows, width]} in F32, BF16 or F16, ids I32 {@code [n]}
 * within the table, y F32 {@code [n, width]}. A backend refuses an id that names no row or, where its device cannot, gives a row
 * of NaN.
 */
public record Embedding() implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    ShapeException.matrix(name(), "table", inputs.get(0), DType.F32, DType.BF16, DType.F16);
    ShapeException.dtype(name(), "ids", inputs.get(1), DType.I32);
    ShapeException.rank(name(), "ids", inputs.get(1), 1);
    return List.of(TensorType.f32(inputs.get(1).shape().dim(0), inputs.get(0).shape().dim(1)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 y = Array64.zeros(outputs.getFirst());
    int width = y.shape().last();
    double[] ids = inputs.get(1).data();
    for (int i = 0; i < ids.length; i++) {
      int id = checkId((int) ids[i], inputs.get(0).shape().dim(0));
      System.arraycopy(inputs.get(0).data(), id * width, y.data(), i * width, width);
    }
    return List.of(y);
  }

  /** The id; throws IllegalArgumentException unless it names one of so many rows. */
  public static int checkId(int id, int rows) {
    if (id < 0 || id >= rows) {
      throw new IllegalArgumentException("token id %d is not among the table's %d rows".formatted(id, rows));
    }
    return id;
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    Value table = gradient.needs(0)
        ? gradient.builder().apply(new EmbeddingGradient(gradient.input(0).type().shape().dim(0)), gradient.input(1),
            gradient.of(0))
        : null;
    return Arrays.asList(table, null);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double rows = outputs.getFirst().bytes() / 4.0 * inputs.getFirst().dtype().bytes();
    return new Cost(0, rows + inputs.get(1).bytes() + outputs.getFirst().bytes());
  }
}
