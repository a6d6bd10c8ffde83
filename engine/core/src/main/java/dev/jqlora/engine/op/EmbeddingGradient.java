package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
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
 * The table's gradient of {@link Embedding}: {@code dtable[r] = Σ dy[i] over ids[i] = r}, summed in order of i. Inputs ids
 * I32 {@code [n]} and dy F32 {@code [n, width]}, output F32 {@code [rows, width]}. A backend refuses an id that names no row or,
 * where its device cannot, passes it over.
 */
public record EmbeddingGradient(int rows) implements Primitive, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    ShapeException.dtype(name(), "ids", inputs.get(0), DType.I32);
    ShapeException.rank(name(), "ids", inputs.get(0), 1);
    ShapeException.matrix(name(), "dy", inputs.get(1), DType.F32);
    ShapeException.check(inputs.get(0).shape().dim(0) == inputs.get(1).shape().dim(0),
        "EmbeddingGradient: %s ids for %s rows", inputs.get(0), inputs.get(1));
    return List.of(TensorType.f32(rows, inputs.get(1).shape().dim(1)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 table = Array64.zeros(outputs.getFirst());
    int width = table.shape().last();
    double[] ids = inputs.get(0).data();
    for (int i = 0; i < ids.length; i++) {
      int id = Embedding.checkId((int) ids[i], rows);
      for (int j = 0; j < width; j++) {
        table.data()[id * width + j] += inputs.get(1).data()[i * width + j];
      }
    }
    return List.of(table);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    return Arrays.asList(null, gradient.builder().apply(new Embedding(), gradient.of(0), gradient.input(0)));
  }
}
