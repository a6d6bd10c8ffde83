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
 * A low-rank adapter beside a linear layer (Hu et al. 2021, arXiv 2106.09685): {@code y = base + scale · (x · aᵀ) · bᵀ}.
 * Inputs: base and x, both F32 or both BF16, {@code [n, out]} and {@code [n, in]}, a F32 {@code [rank, in]},
 * b F32 {@code [out, rank]}. Output: y like base. The gradient computes {@code x · aᵀ} again: little work,
 * where reading it from here would keep base alive, and so have a layer's last product computed again for nothing.
 */
public record LoraLinear(float scale) implements Composite, Differentiable, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 4);
    MixedPrecision.checkRows(name(), "base", inputs.get(0));
    MixedPrecision.checkRows(name(), "x", inputs.get(1));
    MixedPrecision.checkAlike(name(), "x", inputs.get(1), "base", inputs.get(0));
    ShapeException.matrix(name(), "a", inputs.get(2), DType.F32);
    ShapeException.matrix(name(), "b", inputs.get(3), DType.F32);
    int n = inputs.get(1).shape().dim(0);
    int rank = inputs.get(2).shape().dim(0);
    ShapeException.shape(name(), "a", inputs.get(2), Shape.of(rank, inputs.get(1).shape().last()));
    ShapeException.shape(name(), "b", inputs.get(3), Shape.of(inputs.get(0).shape().last(), rank));
    ShapeException.shape(name(), "base", inputs.get(0), Shape.of(n, inputs.get(3).shape().dim(0)));
    return List.of(inputs.getFirst());
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value u = builder.apply(MatMul.NT, inputs.get(1), inputs.get(2));
    Value delta = builder.apply(MatMul.NT, builder.apply(new Scale(scale), u), inputs.get(3));
    return List.of(builder.apply(new Add(), inputs.getFirst(), delta));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value dy = gradient.of(0);
    Value x = gradient.input(1);
    Value du = null;
    if (gradient.needs(1) || gradient.needs(2)) {
      du = builder.apply(new Scale(scale), builder.apply(MatMul.NN, dy, gradient.input(3)));
    }
    // da before dx: the memory of x is then free for dx.
    Value da = gradient.needs(2) && du != null ? builder.apply(MatMul.TN, du, x) : null;
    Value dx = gradient.needs(1) && du != null
        ? builder.apply(MatMul.NN.giving(x.type().dtype()), du, gradient.input(2))
        : null;
    Value db = gradient.needs(3)
        ? builder.apply(MatMul.TN, dy,
            builder.apply(new Scale(scale), builder.apply(MatMul.NT, x, gradient.input(2))))
        : null;
    return Arrays.asList(dy, dx, da, db);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 0 && output == 0;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double rank = inputs.get(2).shape().dim(0);
    return Cost.of(2 * rank * (inputs.get(1).elements() + outputs.getFirst().elements()), inputs, outputs);
  }
}
