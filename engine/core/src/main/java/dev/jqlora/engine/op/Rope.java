package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the half-split layout: element i of a head pairs with
 * element i + headDim / 2. With the row's position p: {@code y1 = x1 · cos[p] - x2 · sin[p]},
 * {@code y2 = x2 · cos[p] + x1 · sin[p]}. The inverse, which is also the gradient, turns the other way.
 *
 * <p>Inputs: x F32 or BF16 {@code [n, heads · headDim]}, positions I32 {@code [n]}, each a row of
 * the tables, which the caller makes sure of; cos and sin F32 {@code [positions, headDim / 2]}.
 */
public record Rope(int headDim, boolean inverse) implements Composite, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 4);
    MixedPrecision.checkRows(name(), "x", inputs.get(0));
    TensorType x = inputs.get(0);
    ShapeException.check(headDim > 0 && headDim % 2 == 0 && x.shape().last() % headDim == 0,
        "Rope: x must hold whole heads of an even width %d, got %s", headDim, x);
    ShapeException.dtype(name(), "positions", inputs.get(1), DType.I32);
    ShapeException.shape(name(), "positions", inputs.get(1), Shape.of(x.shape().dim(0)));
    ShapeException.dtype(name(), "cos", inputs.get(2), DType.F32);
    ShapeException.check(inputs.get(2).shape().rank() == 2 && inputs.get(2).shape().last() == headDim / 2,
        "Rope: cos must be [positions, %d], got %s", headDim / 2, inputs.get(2));
    ShapeException.check(inputs.get(3).equals(inputs.get(2)), "Rope: sin is %s but cos is %s", inputs.get(3),
        inputs.get(2));
    return List.of(x);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value x = inputs.getFirst();
    int n = x.type().shape().dim(0);
    int heads = x.type().shape().last() / headDim;
    int half = headDim / 2;
    Value split = builder.apply(new Reshape(Shape.of(n, heads, headDim)), x);
    Value x1 = builder.apply(new Slice(2, 0, half), split);
    Value x2 = builder.apply(new Slice(2, half, half), split);
    Value cos = atPositions(builder, inputs.get(2), inputs.get(1));
    Value sin = builder.apply(new Scale(inverse ? -1 : 1), atPositions(builder, inputs.get(3), inputs.get(1)));
    Value y1 = builder.apply(new Add(), builder.apply(new Multiply(), x1, cos),
        builder.apply(new Scale(-1), builder.apply(new Multiply(), x2, sin)));
    Value y2 = builder.apply(new Add(), builder.apply(new Multiply(), x2, cos),
        builder.apply(new Multiply(), x1, sin));
    return List.of(builder.apply(new Reshape(x.type().shape()), builder.apply(new Concat(2, 2), y1, y2)));
  }

  private static Value atPositions(GraphBuilder builder, Value table, Value positions) {
    Value rows = builder.apply(new Embedding(), table, positions);
    return builder.apply(new Reshape(Shape.of(rows.type().shape().dim(0), 1, rows.type().shape().last())), rows);
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    if (gradient.needs(2) || gradient.needs(3)) {
      throw new IllegalStateException("Rope: the tables have no gradient");
    }
    return Arrays.asList(gradient.builder().apply(new Rope(headDim, !inverse), gradient.of(0), gradient.input(1),
        gradient.input(2), gradient.input(3)), null, null, null);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 0;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return new Cost(3.0 * outputs.getFirst().elements(),
        2.0 * outputs.getFirst().bytes() + 4.0 * headDim * inputs.get(1).elements());
  }
}
