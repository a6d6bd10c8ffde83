package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * The gradient of {@link SwiGlu}, with {@code s = 1 / (1 + exp(-gate))}: {@code dgate = dy · up · s · (1 + gate · (1 - s))},
 * {@code dup = dy · gate · s}. Inputs gate, up, dy; outputs dgate, dup.
 */
public record SwiGluGradient() implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 3);
    new SwiGlu().infer(inputs.subList(0, 2));
    ShapeException.check(inputs.get(2).equals(inputs.get(0)), "SwiGluGradient: dy is %s but gate is %s", inputs.get(2),
        inputs.get(0));
    return inputs.subList(0, 2);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value gate = inputs.get(0);
    Value dy = inputs.get(2);
    Value s = SwiGlu.sigmoid(builder, gate);
    Value rest = builder.apply(new Scale(-1, 1), s);
    Value slope = builder.apply(new Multiply(), s,
        builder.apply(new Scale(1, 1), builder.apply(new Multiply(), gate, rest)));
    Value dgate = builder.apply(new Multiply(), builder.apply(new Multiply(), dy, inputs.get(1)), slope);
    Value dup = builder.apply(new Multiply(), dy, builder.apply(new Multiply(), gate, s));
    return List.of(dgate, dup);
  }

  /**
   * An element of both outputs is computed from that element of the inputs alone, and kernels may make dgate first: dy is
   * needed until dup is made.
   */
  @Override
  public boolean inPlace(int input, int output) {
    return !(input == 2 && output == 0);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(11.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
