package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The gated activation of Llama's feed-forward layer (Shazeer 2020, arXiv 2002.05202):
 * {@code y = gate / (1 + exp(-gate)) · up}. F32 or BF16, equal shapes.
 */
public record SwiGlu() implements Composite, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    MixedPrecision.checkStored(name(), "gate", inputs.get(0));
    ShapeException.check(inputs.get(1).equals(inputs.get(0)), "SwiGlu: up is %s but gate is %s", inputs.get(1),
        inputs.get(0));
    return List.of(inputs.getFirst());
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value silu = builder.apply(new Multiply(), inputs.getFirst(), sigmoid(builder, inputs.getFirst()));
    return List.of(builder.apply(new Multiply(), silu, inputs.get(1)));
  }

  /** {@code 1 / (1 + exp(-x))} */
  static Value sigmoid(GraphBuilder builder, Value x) {
    Value exp = builder.apply(new Exp(), builder.apply(new Scale(-1), x));
    return builder.apply(new Reciprocal(), builder.apply(new Scale(1, 1), exp));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    List<Value> parts = gradient.builder().applyAll(new SwiGluGradient(),
        List.of(gradient.input(0), gradient.input(1), gradient.of(0)));
    return Arrays.asList(parts.get(0), parts.get(1));
  }

  @Override
  public boolean inPlace(int input, int output) {
    return true;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(5.0 * outputs.getFirst().elements(), inputs, outputs);
  }
}
