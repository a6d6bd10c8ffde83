package dev.jqlora.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Quantizes the scales of a quantized tensor to 8 bits, as bitsandbytes does with {@code compress_statistics}: subtract
 * the mean, then blocks of 256 in the signed dynamic map. Costs 0.127 bits a weight where plain scales cost 0.5.
 */
public final class DoubleQuantization {
  private DoubleQuantization() {}

  /** The scales in 8 bits. Their mean is summed in a fixed order, so it has one value on every machine. */
  public static Absmax.Nested quantize(Absmax absmax, Arena arena) {
    long count = absmax.blocks();
    long blocks = Blockwise8bit.blocks(count);
    MemorySegment codes = arena.allocate(count, Alignment.BYTES);
    MemorySegment nestedAbsmax = arena.allocate(blocks * Float.BYTES, Alignment.BYTES);
    float offset = mean(absmax);
    float[] values = new float[Blockwise8bit.BLOCK];
    byte[] blockCodes = new byte[Blockwise8bit.BLOCK];
    for (long block = 0; block < blocks; block++) {
      long first = block * Blockwise8bit.BLOCK;
      int size = (int) Math.min(Blockwise8bit.BLOCK, count - first);
      absmax.read(first, values, 0, size);
      for (int i = 0; i < size; i++) {
        values[i] -= offset;
      }
      float greatest = Blockwise8bit.quantize(values, 0, size, DynamicMap.SIGNED, blockCodes, 0);
      nestedAbsmax.set(Absmax.F32, block * Float.BYTES, greatest);
      MemorySegment.copy(blockCodes, 0, codes, ValueLayout.JAVA_BYTE, first, size);
    }
    return new Absmax.Nested(codes, DynamicMap.SIGNED, nestedAbsmax, offset);
  }

  /**
   * Summed in float64, each 256 in order and then their sums in order: many threads of a device can do the same, to the bit.
   */
  private static float mean(Absmax absmax) {
    long count = absmax.blocks();
    double sum = 0;
    for (long first = 0; first < count; first += Blockwise8bit.BLOCK) {
      double part = 0;
      for (long block = first; block < Math.min(count, first + Blockwise8bit.BLOCK); block++) {
        part += absmax.get(block);
      }
      sum += part;
    }
    return count == 0 ? 0f : (float) (sum / count);
  }
}
