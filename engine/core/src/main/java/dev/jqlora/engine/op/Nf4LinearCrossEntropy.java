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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * {@link LinearCrossEntropy} of a frozen NF4 weight {@code [vocab, width]}. Inputs: x F32 {@code [n, width]}, the tensors
 * of {@link Nf4Weight}, labels I32 {@code [n]}. Outputs: loss F32 scalar, nll F32 {@code [n]}, then with
 * {@code inputGradient} the loss's gradient by x. The weight has no gradient.
 */
public record Nf4LinearCrossEntropy(Nf4Weight weight, boolean inputGradient) implements Composite, Differentiable {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2 + weight.inputs());
    int n = Nf4Linear.infer(name(), inputs.subList(0, inputs.size() - 1), weight, weight.in(), weight.out()).shape()
        .dim(0);
    ShapeException.dtype(name(), "labels", inputs.getLast(), DType.I32);
    ShapeException.shape(name(), "labels", inputs.getLast(), Shape.of(n));
    List<TensorType> outputs = new ArrayList<>(List.of(TensorType.f32(), TensorType.f32(n)));
    if (inputGradient) {
      outputs.add(inputs.getFirst());
    }
    return outputs;
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value w = weight.dequantize(builder, inputs.subList(1, inputs.size() - 1));
    return builder.applyAll(new LinearCrossEntropy(inputGradient, false), List.of(inputs.getFirst(), w, inputs
        .getLast()));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    @Nullable
    Value[] gradients = new @Nullable Value[gradient.node().inputs().size()];
    gradients[0] = LinearCrossEntropy.scaled(gradient, inputGradient, 2);
    return Arrays.asList(gradients);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double product = 2.0 * inputs.getFirst().elements() * weight.out();
    return Cost.of(inputGradient ? 2 * product : product, inputs, outputs);
  }
}
