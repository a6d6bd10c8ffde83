package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** The gradient of {@link RmsNorm} by w: {@code dw = Σ dy · x / √(mean(x²) + ε)} over the rows. Inputs x F32, dy F32 or BF16. */
public record RmsNormWeightGradient(float epsilon) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    ShapeException.matrix(name(), "x", inputs.get(0), DType.F32);
    MixedPrecision.checkRows(name(), "dy", inputs.get(1));
    ShapeException.check(inputs.get(1).shape().equals(inputs.get(0).shape()),
        "RmsNormWeightGradient: dy is %s but x is %s",
        inputs.get(1), inputs.get(0));
    return List.of(TensorType.f32(inputs.getFirst().shape().last()));
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value x = inputs.getFirst();
    Value normal = builder.apply(new Multiply(), x, RmsNorm.inverseRms(builder, x, epsilon));
    Value product = builder.apply(new Multiply(), inputs.get(1), normal);
    return List.of(builder.apply(new SumTo(Shape.of(x.type().shape().last())), product));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(5.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
