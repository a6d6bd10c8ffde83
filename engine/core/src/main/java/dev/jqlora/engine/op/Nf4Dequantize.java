package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * A matrix from its NF4 codes: {@code w[i] = value[code(i)] · absmax[i / blockSize]} over the flattened matrix. Two codes
 * a byte, the first in the high half. Inputs: codes U8, absmax F32. Output F32 {@code [out, in]}.
 */
public record Nf4Dequantize(int out, int in, int blockSize) implements Primitive {
  public Nf4Dequantize {
    Nf4.checkBlockSize(blockSize);
  }

  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 2);
    new Nf4Weight(out, in, blockSize, false).check(name(), inputs);
    return List.of(TensorType.f32(out, in));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 weight = Array64.zeros(outputs.getFirst());
    double[] codes = inputs.get(0).data();
    for (int i = 0; i < weight.data().length; i++) {
      int pair = (int) codes[i / 2];
      float scale = (float) inputs.get(1).data()[i / blockSize];
      weight.data()[i] = Nf4.value(i % 2 == 0 ? pair >> 4 : pair & 15) * scale;
    }
    return List.of(weight);
  }
}
