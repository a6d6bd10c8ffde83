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
 * Root-mean-square normalization (Zhang and Sennrich 2019, arXiv 1910.07467): {@code y = x / √(mean(x²) + ε) · w}, per
 * row. x F32 {@code [n, width]}, w F32 {@code [width]}; y like x, in F32 or BF16.
 *
 * @param dtype of y
 */
public record RmsNorm(float epsilon, DType dtype) implements Composite, Differentiable, MixedPrecision {
  /** With y in F32. */
  public RmsNorm(float epsilon) {
    this(epsilon, DType.F32);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    ShapeException.matrix(name(), "x", inputs.get(0), DType.F32);
    ShapeException.dtype(name(), "w", inputs.get(1), DType.F32);
    ShapeException.shape(name(), "w", inputs.get(1), Shape.of(inputs.get(0).shape().last()));
    TensorType y = new TensorType(dtype, inputs.get(0).shape());
    MixedPrecision.checkStored(name(), "y", y);
    return List.of(y);
  }

  @Override
  public RmsNorm inFloat32() {
    return new RmsNorm(epsilon);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    Value x = inputs.getFirst();
    Value normal = builder.apply(new Multiply(), x, inverseRms(builder, x, epsilon));
    return List.of(builder.apply(new Multiply(), normal, inputs.get(1)));
  }

  /** {@code 1 / √(mean(x²) + ε)} per row, {@code [n, 1]}. */
  static Value inverseRms(GraphBuilder builder, Value x, float epsilon) {
    int width = x.type().shape().last();
    Value sum = builder.apply(new SumTo(x.type().shape().withLast(1)), builder.apply(new Multiply(), x, x));
    Value mean = builder.apply(new Scale(1f / width, epsilon), sum);
    return builder.apply(new Reciprocal(), builder.apply(new Sqrt(), mean));
  }

  @Override
  public List<@Nullable Value> gradient(Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    Value dx = gradient.needs(0)
        ? builder.apply(new RmsNormGradient(epsilon), gradient.input(0), gradient.input(1), gradient.of(0))
        : null;
    Value dw = gradient.needs(1)
        ? builder.apply(new RmsNormWeightGradient(epsilon), gradient.input(0), gradient.of(0))
        : null;
    return Arrays.asList(dx, dw);
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == 0;
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(4.0 * outputs.getFirst().elements(), inputs, outputs);
  }

  @Override
  public boolean cheap() {
    return true;
  }
}
