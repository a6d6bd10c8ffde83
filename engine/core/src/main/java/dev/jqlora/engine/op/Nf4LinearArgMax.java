package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * {@link LinearArgMax} of an NF4 weight {@code [vocab, width]}. Inputs: x F32 {@code [n, width]}, then the tensors of
 * {@link Nf4Weight}. Output I32 {@code [n]}.
 */
public record Nf4LinearArgMax(Nf4Weight weight) implements Composite {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(TensorType.i32(Nf4Linear.infer(name(), inputs, weight, weight.in(), weight.out()).shape().dim(0)));
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value w = weight.dequantize(builder, inputs.subList(1, inputs.size()));
    return List.of(builder.apply(new LinearArgMax(), inputs.getFirst(), w));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(2.0 * inputs.getFirst().elements() * weight.out(), inputs, outputs);
  }
}
