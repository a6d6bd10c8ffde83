package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A linear layer with a frozen NF4 weight (Dettmers et al. 2023, arXiv 2305.14314): {@code y = x · wᵀ}. Inputs: x F32 or BF16
 * {@code [n, in]}, then the tensors of {@link Nf4Weight}. Output {@code [n, out]} in x's element type. The weight has no
 * gradient.
 */
public record Nf4Linear(Nf4Weight weight) implements Composite, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    return List.of(infer(name(), inputs, weight, weight.in(), weight.out()));
  }

  static TensorType infer(String op, List<TensorType> inputs, Nf4Weight weight, int from, int to) {
    ShapeException.count(op, inputs, 1 + weight.inputs());
    MixedPrecision.checkRows(op, "x", inputs.getFirst());
    int n = inputs.getFirst().shape().dim(0);
    ShapeException.shape(op, "x", inputs.getFirst(), Shape.of(n, from));
    weight.check(op, inputs.subList(1, inputs.size()));
    return inputs.getFirst().withShape(Shape.of(n, to));
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    return List.of(
        builder.apply(MatMul.NT, inputs.getFirst(), weight.dequantize(builder, inputs.subList(1, inputs.size()))));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    List<Value> arguments = new ArrayList<>(gradient.node().inputs());
    arguments.set(0, gradient.of(0));
    @Nullable
    Value[] gradients = new @Nullable Value[arguments.size()];
    gradients[0] = gradient.builder().applyAll(new Nf4LinearGradient(weight), arguments).getFirst();
    return Arrays.asList(gradients);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(2.0 * weight.in() * outputs.getFirst().elements(), inputs, outputs);
  }
}
