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
 * The gradient of {@link Nf4LoraLinear} by x where z is x: {@code dx = dy · w + du · a}, and where it accumulates base is
 * added. Inputs: dy F32 or BF16 {@code [n, out]}, the tensors of {@link Nf4Weight}, du F32 {@code [n, rank]}, a F32
 * {@code [rank, in]}, and base {@code [n, in]} in dy's element type. Output: dx like base, which may be base itself. Made as
 * that op is.
 */
public record Nf4LoraLinearGradient(Nf4Weight weight, boolean accumulates) implements Composite, MixedPrecision {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    int du = 1 + weight.inputs();
    ShapeException.count(name(), inputs, du + (accumulates ? 3 : 2));
    TensorType dx = Nf4Linear.infer(name(), inputs.subList(0, du), weight, weight.out(), weight.in());
    ShapeException.matrix(name(), "du", inputs.get(du), DType.F32);
    int rank = inputs.get(du).shape().dim(1);
    ShapeException.shape(name(), "du", inputs.get(du), Shape.of(dx.shape().dim(0), rank));
    ShapeException.matrix(name(), "a", inputs.get(du + 1), DType.F32);
    ShapeException.shape(name(), "a", inputs.get(du + 1), Shape.of(rank, weight.in()));
    ShapeException.check(!accumulates || inputs.getLast().equals(dx), "%s: base must be %s, got %s", name(), dx,
        inputs.getLast());
    return List.of(dx);
  }

  @Override
  public List<Value> decompose(GraphBuilder builder, List<Value> inputs) {
    int du = 1 + weight.inputs();
    Value adapter = builder.apply(MatMul.NN, inputs.get(du), inputs.get(du + 1));
    Value sum = accumulates ? builder.apply(new Add(), inputs.getLast(), adapter) : adapter;
    Value base = builder.applyAll(new Nf4LinearGradient(weight), inputs.subList(0, du)).getFirst();
    return List.of(builder.apply(new Add(), sum, base));
  }

  @Override
  public boolean inPlace(int input, int output) {
    return accumulates && input == 3 + weight.inputs();
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    double inner = weight.out() + (double) inputs.get(1 + weight.inputs()).shape().dim(1);
    return Cost.of(2 * inner * outputs.getFirst().elements(), inputs, outputs);
  }
}
