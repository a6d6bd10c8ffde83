package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.ShapeException;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * A frozen weight {@code [out, in]} in NF4, as it stands among an op's inputs. Plain: codes U8
 * {@code [(out · in + 1) / 2]}, absmax F32 {@code [blocks]}. Nested (double quantization): codes, absmax codes U8
 * {@code [blocks]}, the 8-bit map F32 {@code [256]}, nested absmax F32 {@code [blocks / 256]} and offset F32 scalar.
 * Blocks run over the flattened matrix; counts are rounded up.
 */
public record Nf4Weight(int out, int in, int blockSize, boolean nested) {
  public Nf4Weight {
    Nf4.checkBlockSize(blockSize);
  }

  public int inputs() {
    return nested ? 5 : 2;
  }

  /** The types of the weight's tensors, in their order among the inputs. */
  public List<TensorType> types() {
    long elements = (long) out * in;
    int codes = Math.toIntExact(Nf4.codeBytes(elements));
    int blocks = Math.toIntExact(Nf4.blocks(elements, blockSize));
    return nested
        ? List.of(TensorType.u8(codes), TensorType.u8(blocks), TensorType.f32(DynamicMap.SIZE),
            TensorType.f32(Math.toIntExact(Blockwise8bit.blocks(blocks))), TensorType.f32())
        : List.of(TensorType.u8(codes), TensorType.f32(blocks));
  }

  /** Bytes of one matrix. */
  public long bytes() {
    return types().stream().mapToLong(TensorType::bytes).sum();
  }

  void check(String op, List<TensorType> given) {
    ShapeException.check(given.equals(types()), "%s: the tensors of an NF4 weight [%d, %d] must be %s, got %s", op, out,
        in, types(), given);
  }

  /** Appends the dequantized weight, F32 {@code [out, in]}. */
  Value dequantize(GraphBuilder builder, List<Value> tensors) {
    Value absmax = nested
        ? builder.applyAll(new Nf4Absmax(), tensors.subList(1, 5)).getFirst()
        : tensors.get(1);
    return builder.apply(new Nf4Dequantize(out, in, blockSize), tensors.getFirst(), absmax);
  }
}
