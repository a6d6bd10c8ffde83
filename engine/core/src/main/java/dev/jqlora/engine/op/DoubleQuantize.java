package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * The scales of an NF4 weight in 8 bits, the bytes of {@link DoubleQuantization}; {@link Nf4Absmax} brings them back.
 * Input: absmax F32 {@code [blocks]}, finite. Outputs: codes U8 {@code [blocks]} of the signed dynamic map, nested absmax F32
 * {@code [blocks / 256]}, rounded up, and offset F32 scalar, the mean of absmax.
 */
public record DoubleQuantize() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 1);
    ShapeException.dtype(name(), "absmax", inputs.getFirst(), DType.F32);
    ShapeException.rank(name(), "absmax", inputs.getFirst(), 1);
    int blocks = inputs.getFirst().shape().dim(0);
    return List.of(TensorType.u8(blocks), TensorType.f32(Math.toIntExact(Blockwise8bit.blocks(blocks))),
        TensorType.f32());
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Tensor absmax = Tensor.allocate(Arena.ofAuto(), inputs.getFirst().type());
    inputs.getFirst().copyTo(absmax);
    Absmax.Nested nested = DoubleQuantization.quantize(new Absmax.Plain(absmax.data()), Arena.ofAuto());
    return List.of(Array64.of(new Tensor(outputs.get(0), nested.codes())),
        Array64.of(new Tensor(outputs.get(1), nested.nestedAbsmax())), Array64.of(Tensor.scalar(nested.offset())));
  }

  /** Mean, difference, magnitude and maximum, a quotient, eight comparisons. */
  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(13.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
