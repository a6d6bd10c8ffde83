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

/**
 * {@link Nf4Linear} and {@link LoraLinear} in one: {@code y = x · wᵀ + scale · (z · aᵀ) · bᵀ}, where z is x or what dropout
 * left of it. Inputs: x F32 or BF16 {@code [n, in]}, the tensors of {@link Nf4Weight}, z like x, a F32 {@code [rank, in]}, b
 * F32 {@code [out, rank]}. Output {@code [n, out]} in x's element type. Graphs have the two ops; {@link dev.jqlora.engine.plan.LoraFusion} makes
 * this of them where there is a kernel, after gradients are taken.
 */
public record Nf4LoraLinear(Nf4Weight weight, float scale) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    int z = 1 + weight.inputs();
    ShapeException.count(name(), inputs, z + 3);
    TensorType y = Nf4Linear.infer(name(), inputs.subList(0, z), weight, weight.in(), weight.out());
    ShapeException.check(inputs.get(z).equals(inputs.getFirst()), "%s: z must be %s like x, got %s", name(),
        inputs.getFirst(), inputs.get(z));
    ShapeException.matrix(name(), "a", inputs.get(z + 1), DType.F32);
    ShapeException.matrix(name(), "b", inputs.get(z + 2), DType.F32);
    int rank = inputs.get(z + 1).shape().dim(0);
    ShapeException.shape(name(), "a", inputs.get(z + 1), Shape.of(rank, weight.in()));
    ShapeException.shape(name(), "b", inputs.get(z + 2), Shape.of(weight.out(), rank));
    return List.of(y);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    int z = 1 + weight.inputs();
    Value base = builder.applyAll(new Nf4Linear(weight), inputs.subList(0, z)).getFirst();
    return List.of(builder.apply(new LoraLinear(scale), base, inputs.get(z), inputs.get(z + 1), inputs.get(z + 2)));
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double products = (double) weight.in() * weight.out()
        + (double) inputs.getLast().shape().last() * (weight.in() + weight.out());
    return Cost.of(2 * products * outputs.getFirst().shape().dim(0), inputs, outputs);
  }
}
