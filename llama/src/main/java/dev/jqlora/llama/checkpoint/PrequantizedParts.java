package dev.jqlora.llama.checkpoint;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.config.Dtypes;
import dev.jqlora.llama.safetensors.CheckpointWriter;
import dev.jqlora.llama.safetensors.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * Writes a matrix in NF4 with double quantization as the tensors that bitsandbytes saves and {@link PrequantizedWeight}
 * reads.
 *
 * @param name of the matrix in the checkpoint
 * @param shape {@code [out, in]}
 * @param dtype the type that the values had before
 */
public record PrequantizedParts(String name, Shape shape, DType dtype) {
  /**
   * Bytes of the quantization state. A file's header comes before its data, and with it the length of this text, when
   * the offset in it is not known yet: the rest is spaces, which JSON allows.
   */
  private static final int STATE_BYTES = 256;

  /** The parts, to be declared to a writer together. */
  public List<TensorInfo> infos() {
    int blocks = Math.toIntExact(blocks());
    return List.of(info("", DType.U8, Math.toIntExact(Nf4.codeBytes(shape.elements())), 1),
        info(".absmax", DType.U8, blocks),
        info(".nested_absmax", DType.F32, Math.toIntExact(Blockwise8bit.blocks(blocks))),
        info(".nested_quant_map", DType.F32, DynamicMap.SIZE), info(".quant_map", DType.F32, Nf4.values().length),
        info("." + PrequantizedWeight.NF4_STATE, DType.U8, STATE_BYTES));
  }

  private TensorInfo info(String part, DType type, int... dims) {
    return TensorInfo.of(name + part, new TensorType(type, Shape.of(dims)));
  }

  /** Number of scales. */
  public long blocks() {
    return Nf4.blocks(shape.elements(), Nf4.DEFAULT_BLOCK_SIZE);
  }

  /** Writes the next codes. */
  public void appendCodes(CheckpointWriter writer, MemorySegment codes) {
    writer.append(name, codes);
  }

  /** Writes all that is not codes. */
  public void appendScales(CheckpointWriter writer, Absmax.Nested absmax) {
    writer.append(name + ".absmax", absmax.codes());
    writer.append(name + ".nested_absmax", absmax.nestedAbsmax());
    writer.append(name + ".nested_quant_map", MemorySegment.ofArray(absmax.map().values()));
    writer.append(name + ".quant_map", MemorySegment.ofArray(Nf4.values()));
    writer.append(name + "." + PrequantizedWeight.NF4_STATE, MemorySegment.ofArray(state(absmax.offset())));
  }

  private byte[] state(float offset) {
    String json = String.format(Locale.ROOT,
        "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"%s\", \"shape\": %s, "
            + "\"nested_blocksize\": %d, \"nested_dtype\": \"float32\", \"nested_offset\": %s}",
        Nf4.DEFAULT_BLOCK_SIZE, Dtypes.name(dtype), shape.dims(), Blockwise8bit.BLOCK, (double) offset);
    byte[] text = json.getBytes(StandardCharsets.US_ASCII);
    byte[] state = Arrays.copyOf(text, STATE_BYTES);
    Arrays.fill(state, text.length, STATE_BYTES, (byte) ' ');
    return state;
  }
}
