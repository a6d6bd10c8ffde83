package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * The scales of an NF4 weight from their 8-bit codes: {@code absmax[b] = map[codes[b]] · nested[b / 256] + offset}, a
 * rounded product and then a rounded sum. Inputs: codes U8 {@code [blocks]}, map F32 {@code [256]}, nested absmax F32,
 * offset F32 scalar. Output F32 {@code [blocks]}.
 */
public record Nf4Absmax() implements Primitive {
  @Override
  public List<TensorType> infer(List<TensorType> inputs) {
    ShapeException.count(name(), inputs, 4);
    ShapeException.dtype(name(), "codes", inputs.get(0), DType.U8);
    ShapeException.rank(name(), "codes", inputs.get(0), 1);
    int blocks = inputs.get(0).shape().dim(0);
    ShapeException.dtype(name(), "map", inputs.get(1), DType.F32);
    ShapeException.shape(name(), "map", inputs.get(1), Shape.of(DynamicMap.SIZE));
    ShapeException.dtype(name(), "nested absmax", inputs.get(2), DType.F32);
    ShapeException.shape(name(), "nested absmax", inputs.get(2), Shape.of((int) Blockwise8bit.blocks(blocks)));
    ShapeException.dtype(name(), "offset", inputs.get(3), DType.F32);
    ShapeException.shape(name(), "offset", inputs.get(3), Shape.SCALAR);
    return List.of(TensorType.f32(blocks));
  }

  @Override
  public List<Array64> evaluate(List<Array64> inputs, List<TensorType> outputs) {
    Array64 absmax = Array64.zeros(outputs.getFirst());
    double[] codes = inputs.get(0).data();
    float offset = (float) inputs.get(3).data()[0];
    for (int block = 0; block < codes.length; block++) {
      float value = (float) inputs.get(1).data()[(int) codes[block]];
      float scale = (float) inputs.get(2).data()[block / Blockwise8bit.BLOCK];
      absmax.data()[block] = value * scale + offset;
    }
    return List.of(absmax);
  }
}
