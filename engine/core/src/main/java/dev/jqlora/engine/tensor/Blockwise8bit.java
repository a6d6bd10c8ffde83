package dev.jqlora.engine.tensor;

/** Blocks of up to 256 values as 8-bit codes of a {@link DynamicMap} times the block's greatest magnitude. */
public final class Blockwise8bit {
  /** Values that share one absmax. */
  public static final int BLOCK = 256;

  private Blockwise8bit() {}

  /** Number of blocks that hold so many values; the last may be short. */
  public static long blocks(long values) {
    return (values + BLOCK - 1) / BLOCK;
  }

  /**
   * Quantizes one block: each code is the nearest to {@code value / absmax}.
   *
   * @return the block's absmax; where it is 0 all codes are the map's code of 0
   */
  public static float quantize(float[] values, int first, int count, DynamicMap map, byte[] codes, int firstCode) {
    float absmax = 0f;
    for (int i = 0; i < count; i++) {
      absmax = Math.max(absmax, Math.abs(values[first + i]));
    }
    float divisor = absmax == 0f ? 1f : absmax;
    for (int i = 0; i < count; i++) {
      codes[firstCode + i] = (byte) map.nearest(values[first + i] / divisor);
    }
    return absmax;
  }

  /** Decodes one block. */
  public static void dequantize(byte[] codes, int firstCode, int count, DynamicMap map, float absmax, float[] target,
      int first) {
    for (int i = 0; i < count; i++) {
      target[first + i] = map.value(Byte.toUnsignedInt(codes[firstCode + i])) * absmax;
    }
  }
}
