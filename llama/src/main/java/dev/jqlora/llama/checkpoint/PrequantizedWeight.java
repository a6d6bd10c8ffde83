package dev.jqlora.llama.checkpoint;

import static dev.jqlora.llama.files.FileErrors.quoted;

import com.fasterxml.jackson.databind.JsonNode;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.llama.files.JsonObject;
import dev.jqlora.llama.safetensors.Checkpoint;
import dev.jqlora.llama.safetensors.StoredTensor;
import dev.jqlora.llama.safetensors.StoredType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * A matrix that bitsandbytes quantized to NF4 before it was saved. Its parts are tensors of their own, named after it
 * ({@code NAME.absmax} and so on), perhaps in other shards; whether a matrix is quantized at all is told by whether the
 * part {@code NAME.quant_state.bitsandbytes__nf4} is there. The element type of the codes says nothing and is ignored:
 * some writers label the same bytes as bfloat16. (bitsandbytes, {@code functional.py}, {@code QuantState}.)
 */
public final class PrequantizedWeight {
  private static final String QUANT_STATE = "quant_state.";
  static final String NF4_STATE = QUANT_STATE + "bitsandbytes__nf4";
  private static final List<String> PLAIN_PARTS = List.of("absmax", "quant_map", NF4_STATE);
  private static final List<String> NESTED_PARTS = List.of("absmax", "nested_absmax", "nested_quant_map", "quant_map",
      NF4_STATE);
  private static final Set<String> DTYPES = Set.of("float32", "float16", "bfloat16");
  private static final int MAXIMUM_STATE_BYTES = 1 << 16;

  private PrequantizedWeight() {}

  /** Whether the checkpoint holds this tensor quantized. */
  public static boolean isQuantized(Checkpoint checkpoint, String name) {
    String begin = name + "." + QUANT_STATE;
    return checkpoint.names().stream().anyMatch(part -> part.startsWith(begin));
  }

  /**
   * Gathers a quantized matrix from its parts: a view of the mapped files, valid until the checkpoint is closed.
   *
   * @param expected the shape that the model's configuration gives the matrix
   */
  public static Nf4Tensor read(Checkpoint checkpoint, String name, Shape expected) {
    return new Reading(checkpoint, name).weight(expected);
  }

  /** One reading; the state that its error messages need. */
  private record Reading(Checkpoint checkpoint, String name) {
    Nf4Tensor weight(Shape expected) {
      List<String> parts = checkpoint.names().stream().filter(part -> part.startsWith(name + ".")).map(part -> part
          .substring(name.length() + 1)).sorted().toList();
      boolean nested = parts.contains("nested_absmax");
      if (!parts.equals(nested ? NESTED_PARTS : PLAIN_PARTS)) {
        throw checkpoint.stored(name).error("is quantized with the parts %s; expected %s or %s (NF4 by bitsandbytes)"
            .formatted(quoted(String.join(", ", parts)), PLAIN_PARTS, NESTED_PARTS));
      }
      JsonObject state = state();
      if (!state.text("quant_type").equals("nf4")) {
        throw state.wrong("quant_type", "\"nf4\"");
      }
      Shape shape = shape(state);
      if (!shape.equals(expected)) {
        throw checkpoint.stored(name)
            .error("is quantized from shape %s; expected %s, as config.json has it".formatted(shape,
                expected));
      }
      int blockSize = state.positiveInt("blocksize");
      if (blockSize < 32 || blockSize > 4096 || Integer.bitCount(blockSize) != 1) {
        throw state.wrong("blocksize", "a power of two from 32 to 4096");
      }
      requireDtype(state);
      requireNf4Table();
      long blocks = Nf4.blocks(shape.elements(), blockSize);
      Absmax absmax = nested ? nested(state, blocks) : plain(blocks);
      MemorySegment codes = bytes(checkpoint.stored(name), Nf4.codeBytes(shape.elements()));
      return new Nf4Tensor(shape, blockSize, codes, absmax);
    }

    private JsonObject state() {
      StoredTensor stored = part(NF4_STATE);
      if (stored.type() != StoredType.U8 || stored.data().byteSize() > MAXIMUM_STATE_BYTES) {
        throw stored.error("is %s; expected U8 and at most %d bytes of JSON".formatted(stored.info(),
            MAXIMUM_STATE_BYTES));
      }
      try {
        ByteBuffer utf8 = ByteBuffer.wrap(stored.data().toArray(ValueLayout.JAVA_BYTE));
        String text = StandardCharsets.UTF_8.newDecoder().decode(utf8).toString();
        return JsonObject.parse("%s: tensor %s".formatted(stored.file(), quoted(stored.name())), text);
      } catch (CharacterCodingException _) {
        throw stored.error("is not UTF-8 text; fetch the file again");
      }
    }

    private static Shape shape(JsonObject state) {
      List<Integer> dims = new ArrayList<>();
      for (JsonNode dim : state.node().path("shape")) {
        if (!dim.canConvertToInt() || !dim.isIntegralNumber() || dim.intValue() <= 0) {
          throw state.wrong("shape", "an array of two positive integers");
        }
        dims.add(dim.intValue());
      }
      if (dims.size() != 2) {
        throw state.wrong("shape", "an array of two positive integers");
      }
      return new Shape(dims);
    }

    /** The type that the values had before; they are dequantized to what is computed in, whatever that was. */
    private static void requireDtype(JsonObject state) {
      if (!DTYPES.contains(state.text("dtype"))) {
        throw state.wrong("dtype", "\"float32\", \"float16\" or \"bfloat16\"");
      }
    }

    private void requireNf4Table() {
      if (!Arrays.equals(floats("quant_map", Nf4.values().length), Nf4.values())) {
        throw part("quant_map").error("holds other values than the NF4 table; fetch the file again");
      }
    }

    private Absmax plain(long blocks) {
      StoredTensor stored = part("absmax");
      if (stored.type() != StoredType.F32) {
        throw stored.error("is %s; expected F32 (or the nested parts beside it)".formatted(stored.info()));
      }
      Absmax.Plain absmax = new Absmax.Plain(bytes(stored, blocks * Float.BYTES));
      requireScales(stored, absmax.values());
      return absmax;
    }

    private Absmax nested(JsonObject state, long blocks) {
      if (state.positiveInt("nested_blocksize") != Blockwise8bit.BLOCK) {
        throw state.wrong("nested_blocksize", String.valueOf(Blockwise8bit.BLOCK));
      }
      if (!state.optionalText("nested_dtype").orElse("float32").equals("float32")) {
        throw state.wrong("nested_dtype", "\"float32\"");
      }
      if (!state.has("nested_offset")) {
        throw state.wrong("nested_offset", "a finite number");
      }
      float offset = (float) state.number("nested_offset", 0);
      if (!Float.isFinite(offset)) {
        throw state.wrong("nested_offset", "a number in the range of float32");
      }
      StoredTensor codes = part("absmax");
      if (codes.type() != StoredType.U8) {
        throw codes.error("is %s; expected U8 (codes of nested scales)".formatted(codes.info()));
      }
      StoredTensor scales = part("nested_absmax");
      MemorySegment nestedAbsmax = bytes(scales, Math.ceilDiv(blocks, Blockwise8bit.BLOCK) * Float.BYTES);
      requireScales(scales, nestedAbsmax);
      return new Absmax.Nested(bytes(codes, blocks), nestedMap(), nestedAbsmax, offset);
    }

    private DynamicMap nestedMap() {
      try {
        return DynamicMap.of(floats("nested_quant_map", DynamicMap.SIZE));
      } catch (IllegalArgumentException _) {
        throw part("nested_quant_map").error("does not ascend or is not finite; fetch the file again");
      }
    }

    private void requireScales(StoredTensor stored, MemorySegment values) {
      if (stored.type() != StoredType.F32) {
        throw stored.error("is %s; expected F32".formatted(stored.info()));
      }
      for (long at = 0; at < values.byteSize(); at += Float.BYTES) {
        float scale = values.get(Absmax.F32, at);
        if (!(scale >= 0 && scale <= Float.MAX_VALUE)) {
          throw stored.error("has the scale %s at index %d; expected a finite number of at least 0".formatted(scale, at
              / Float.BYTES));
        }
      }
    }

    private float[] floats(String part, int count) {
      StoredTensor stored = part(part);
      if (stored.type() != StoredType.F32) {
        throw stored.error("is %s; expected F32".formatted(stored.info()));
      }
      return bytes(stored, (long) count * Float.BYTES).toArray(Absmax.F32);
    }

    private StoredTensor part(String part) {
      return checkpoint.stored(name + "." + part);
    }

    private static MemorySegment bytes(StoredTensor stored, long expected) {
      if (stored.data().byteSize() != expected) {
        throw stored.error("is %s and holds %d bytes; expected %d for its matrix".formatted(stored.info(), stored.data()
            .byteSize(), expected));
      }
      return stored.data();
    }
  }
}
