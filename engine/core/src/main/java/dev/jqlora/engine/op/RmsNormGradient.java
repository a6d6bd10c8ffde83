package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * The gradient of {@link RmsNorm} by x. With {@code r = 1 / √(mean(x²) + ε)} and {@code g = dy · w}:
 * {@code dx = r · (g - x · r² · mean(g · x))}. Inputs x F32, w, dy F32 or
 * BF16; output dx like x.
 */
public record RmsNormGradient(float epsilon) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 3);
    new RmsNorm(epsilon).infer(inputs.subList(0, 2));
    MixedPrecision.checkRows(name(), "dy", inputs.get(2));
    ShapeException.check(inputs.get(2).shape().equals(inputs.get(0).shape()), "RmsNormGradient: dy is %s but x is %s",
        inputs.get(2), inputs.get(0));
    return List.of(inputs.getFirst());
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value x = inputs.get(0);
    Value r = RmsNorm.inverseRms(builder, x, epsilon);
    Value g = builder.apply(new Multiply(), inputs.get(2), inputs.get(1));
    Value dot = builder.apply(new SumTo(x.type().shape().withLast(1)), builder.apply(new Multiply(), g, x));
    Value squared = builder.apply(new Multiply(), r, r);
    Value factor = builder.apply(new Scale(-1f / x.type().shape().last()), builder.apply(new Multiply(), dot, squared));
    Value difference = builder.apply(new Add(), g, builder.apply(new Multiply(), x, factor));
    return List.of(builder.apply(new Multiply(), difference, r));
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 2;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(9.0 * outputs.getFirst().elements(), inputs, outputs);
  }
}
