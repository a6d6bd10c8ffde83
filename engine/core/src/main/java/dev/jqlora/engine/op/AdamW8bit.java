package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * One step of AdamW whose moments are 8-bit codes with one F32 absmax per block of 256 (Dettmers et al. 2021, arXiv
 * 2110.02861), by the rules of bitsandbytes' CPU operator, in float32 as {@link BlockwiseAdamW} does it. The parameter is
 * {@code count} tensors of one size, one behind another in whatever shape; blocks start anew at each.
 *
 * <p>Inputs: parameter and gradient F32 of one shape; codes1 U8 like them and absmax1 F32
 * {@code [count, blocks]}; codes2 and absmax2 likewise; rates F32 {@code [3]} and scale F32 scalar as in {@link AdamW}.
 * Outputs: parameter, codes1, absmax1, codes2, absmax2.
 */
public record AdamW8bit(int count, double beta1, double beta2, double epsilon) implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 8);
    TensorType p = inputs.getFirst();
    ShapeException.dtype(name(), "parameter", p, DType.F32);
    ShapeException.check(count > 0 && p.elements() % count == 0, "AdamW8bit: %s is not %d tensors", p, count);
    ShapeException.check(inputs.get(1).equals(p), "AdamW8bit: the gradient is %s but the parameter is %s",
        inputs.get(1), p);
    TensorType absmax = absmaxType(p);
    for (int i = 2; i < 6; i += 2) {
      ShapeException.check(inputs.get(i).equals(new TensorType(DType.U8, p.shape())),
          "AdamW8bit: codes must be U8 %s, got %s", p.shape(), inputs.get(i));
      ShapeException.check(inputs.get(i + 1).equals(absmax), "AdamW8bit: absmax must be %s, got %s", absmax,
          inputs.get(i + 1));
    }
    AdamW.checkRates(name(), inputs.get(6), inputs.get(7));
    return List.of(p, inputs.get(2), inputs.get(3), inputs.get(4), inputs.get(5));
  }

  /** The type of absmax for a parameter: {@code [count, blocks]}. */
  public TensorType absmaxType(TensorType parameter) {
    return TensorType.f32(count, Math.toIntExact(Blockwise8bit.blocks(parameter.elements() / count)));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    List<Array64> results = outputs.stream().map(Array64::zeros).toList();
    int size = results.getFirst().data().length / count;
    int blocks = results.get(2).data().length / count;
    double[] rates = inputs.get(6).data();
    double scale = inputs.get(7).data()[0];
    BlockwiseAdamW.Coefficients coefficients = BlockwiseAdamW.Coefficients.ofRates(beta1, beta2, epsilon,
        (float) rates[0], (float) rates[1], (float) rates[2]);
    for (int tensor = 0; tensor < count; tensor++) {
      float[] p = floats(inputs.get(0), tensor * size, size, 1);
      byte[] codes1 = bytes(inputs.get(2), tensor * size, size);
      float[] absmax1 = floats(inputs.get(3), tensor * blocks, blocks, 1);
      byte[] codes2 = bytes(inputs.get(4), tensor * size, size);
      float[] absmax2 = floats(inputs.get(5), tensor * blocks, blocks, 1);
      BlockwiseAdamW.step(p, floats(inputs.get(1), tensor * size, size, (float) scale), codes1, absmax1, codes2,
          absmax2, BlockwiseAdamW.Maps.DEFAULT, coefficients);
      for (int i = 0; i < size; i++) {
        results.get(0).data()[tensor * size + i] = p[i];
        results.get(1).data()[tensor * size + i] = Byte.toUnsignedInt(codes1[i]);
        results.get(3).data()[tensor * size + i] = Byte.toUnsignedInt(codes2[i]);
      }
      for (int i = 0; i < blocks; i++) {
        results.get(2).data()[tensor * blocks + i] = absmax1[i];
        results.get(4).data()[tensor * blocks + i] = absmax2[i];
      }
    }
    return results;
  }

  private static float[] floats(Array64 array, int first, int count, float scale) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = (float) array.data()[first + i] * scale;
    }
    return floats;
  }

  private static byte[] bytes(Array64 array, int first, int count) {
    byte[] bytes = new byte[count];
    for (int i = 0; i < count; i++) {
      bytes[i] = (byte) (int) array.data()[first + i];
    }
    return bytes;
  }

  @Override
  public boolean inPlace(int input, int output) {
    return input == (output == 0 ? 0 : output + 1);
  }

  @Override
  public Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.of(40.0 * inputs.getFirst().elements(), inputs, outputs);
  }
}
