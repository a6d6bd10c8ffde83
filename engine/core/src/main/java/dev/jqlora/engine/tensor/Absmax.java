package dev.jqlora.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** The scale of each block of a quantized tensor: as float32, or itself quantized to 8 bits ("double quantization"). */
public sealed interface Absmax {
  /** Little-endian float32 at any address. */
  ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Number of blocks. */
  long blocks();

  /** Scale of one block. */
  float get(long block);

  /** Decodes the scales of blocks {@code first .. first + count - 1}. */
  default void read(long first, float[] target, int offset, int count) {
    for (int i = 0; i < count; i++) {
      target[offset + i] = get(first + i);
    }
  }

  /** @param values float32, one a block */
  record Plain(MemorySegment values) implements Absmax {
    @Override
    public long blocks() {
      return values.byteSize() / Float.BYTES;
    }

    @Override
    public float get(long block) {
      return values.get(F32, block * Float.BYTES);
    }
  }

  /**
   * {@code absmax[b] = map[codes[b]] * nestedAbsmax[b / 256] + offset}, a rounded product and then a rounded sum.
   *
   * @param codes one byte a block
   * @param map what the codes stand for
   * @param nestedAbsmax float32, one for each 256 codes
   * @param offset mean of all scales, taken off before they were quantized
   */
  record Nested(MemorySegment codes, DynamicMap map, MemorySegment nestedAbsmax, float offset) implements Absmax {
    public Nested {
      long expected = (codes.byteSize() + Blockwise8bit.BLOCK - 1) / Blockwise8bit.BLOCK * Float.BYTES;
      if (nestedAbsmax.byteSize() != expected) {
        throw new IllegalArgumentException("%d absmax codes take %d bytes of nested absmax, not %d"
            .formatted(codes.byteSize(), expected, nestedAbsmax.byteSize()));
      }
    }

    @Override
    public long blocks() {
      return codes.byteSize();
    }

    @Override
    public float get(long block) {
      int code = Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, block));
      return map.value(code) * nestedAbsmax.get(F32, block / Blockwise8bit.BLOCK * Float.BYTES) + offset;
    }

    @Override
    public void read(long first, float[] target, int offset, int count) {
      int done = 0;
      while (done < count) {
        long block = first + done;
        int end = (int) Math.min(count, (block / Blockwise8bit.BLOCK + 1) * Blockwise8bit.BLOCK - first);
        float scale = nestedAbsmax.get(F32, block / Blockwise8bit.BLOCK * Float.BYTES);
        for (; done < end; done++) {
          int code = Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, first + done));
          target[offset + done] = map.value(code) * scale + this.offset;
        }
      }
    }
  }
}
