package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** The gradient of {@link Nf4Linear} by x: {@code dx = dy · w}. Inputs: dy {@code [n, out]}, then the weight's tensors. */
public record Nf4LinearGradient(Nf4Weight weight) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(Nf4Linear.infer(name(), inputs, weight, weight.out(), weight.in()));
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    return List.of(
        builder.apply(MatMul.NN, inputs.getFirst(), weight.dequantize(builder, inputs.subList(1, inputs.size()))));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(2.0 * weight.out() * outputs.getFirst().elements(), inputs, outputs);
  }
}
