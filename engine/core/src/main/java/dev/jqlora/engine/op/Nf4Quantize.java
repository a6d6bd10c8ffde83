package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * Real numbers as NF4 codes and the scales of their blocks (Dettmers et al. 2023, arXiv 2305.14314), the bytes of
 * {@link Nf4#quantize}: the code nearest to {@code x · (1 / absmax)}. Input: x F32, BF16 or F16 {@code [n]}, finite.
 * Outputs: codes U8 {@code [(n + 1) / 2]}, two a byte, the first in the high half, and absmax F32 {@code [n / blockSize]},
 * rounded up. Where x is not finite, neither is its block's absmax, and the codes are of no use.
 */
public record Nf4Quantize(int blockSize) implements Primitive {
  public Nf4Quantize {
    Nf4.checkBlockSize(blockSize);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "x", inputs.getFirst(), DType.F32, DType.BF16, DType.F16);
    ShapeException.rank(name(), "x", inputs.getFirst(), 1);
    return new Nf4Weight(1, inputs.getFirst().shape().dim(0), blockSize, false).types();
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Tensor x = Tensor.allocate(Arena.ofAuto(), inputs.getFirst().type());
    inputs.getFirst().copyTo(x);
    var quantized = Nf4.quantize(x, blockSize, Arena.ofAuto()).weight();
    return List.of(Array64.of(new Tensor(outputs.get(0), quantized.codes())),
        Array64.of(new Tensor(outputs.get(1), ((Absmax.Plain) quantized.absmax()).values())));
  }

  /** Magnitude and maximum, a product, four comparisons. */
  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(7.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
