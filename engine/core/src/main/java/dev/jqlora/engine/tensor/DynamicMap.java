package dev.jqlora.engine.tensor;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The 256 values that an 8-bit code stands for, ascending, and the nearest-code rule over them. The two maps of
 * bitsandbytes are {@link #SIGNED} and {@link #UNSIGNED}; a checkpoint may bring its own.
 */
public final class DynamicMap {
  /** Number of codes. */
  public static final int SIZE = 256;

  private static final float[] POWERS_OF_TEN = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1f};

  /** Values from -0.99296874 to 1; code 127 is 0. */
  public static final DynamicMap SIGNED = new DynamicMap(create(true));
  /** Values from 0 to 1; code 0 is 0. */
  public static final DynamicMap UNSIGNED = new DynamicMap(create(false));

  private final float[] values;
  private final float[] midpoints;
  /** For the upper half of a float's bits, the code of the least number that begins with them. Made for the first use. */
  private volatile byte @Nullable [] lowestCodes;

  private DynamicMap(float[] values) {
    this.values = values;
    this.midpoints = new float[SIZE - 1];
    for (int i = 0; i < SIZE - 1; i++) {
      midpoints[i] = (values[i] + values[i + 1]) / 2f;
    }
  }

  /**
   * A map read from a checkpoint.
   *
   * @throws IllegalArgumentException unless there are 256 finite values in ascending order
   */
  public static DynamicMap of(float[] values) {
    if (values.length != SIZE) {
      throw new IllegalArgumentException("an 8-bit map has 256 values, not " + values.length);
    }
    for (int i = 0; i < SIZE; i++) {
      if (!Float.isFinite(values[i]) || i > 0 && values[i] < values[i - 1]) {
        throw new IllegalArgumentException("an 8-bit map ascends and is finite; entry %d does not".formatted(i));
      }
    }
    if (Arrays.equals(values, SIGNED.values)) {
      return SIGNED;
    }
    return Arrays.equals(values, UNSIGNED.values) ? UNSIGNED : new DynamicMap(values.clone());
  }

  /** The value of a code, 0 to 255. */
  public float value(int code) {
    return values[code];
  }

  /** All values, a copy. */
  public float[] values() {
    return values.clone();
  }

  /** The 255 halfway points between neighbouring values, a copy. */
  public float[] midpoints() {
    return midpoints.clone();
  }

  /** Number of midpoints below {@code x}: the nearest code, the lower one on a tie; 0 for NaN. */
  public int nearest(float x) {
    byte[] lowest = lowestCodes;
    if (lowest == null) {
      lowest = lowestCodes();
      lowestCodes = lowest;
    }
    int code = Byte.toUnsignedInt(lowest[Float.floatToRawIntBits(x) >>> 16]);
    while (code < midpoints.length && x > midpoints[code]) {
      code++;
    }
    return code;
  }

  private byte[] lowestCodes() {
    byte[] codes = new byte[1 << 16];
    for (int upper = 0; upper < codes.length; upper++) {
      float lowest = Float.intBitsToFloat(upper << 16 | (upper >> 15) * 0xffff);
      codes[upper] = (byte) (Float.isFinite(lowest) ? countBelow(lowest) : 0);
    }
    return codes;
  }

  private int countBelow(float x) {
    int code = 0;
    for (int step = SIZE / 2; step > 0; step >>= 1) {
      code += x > midpoints[code + step - 1] ? step : 0;
    }
    return code;
  }

  /**
   * Each exponent i has 2^i steps (unsigned: twice as many) between 0.1 and 1, of which the midpoints are kept, times
   * 10^(i-6). The fused multiply-adds are those that torch's linspace uses: without them some entries differ in the
   * last bit.
   */
  private static float[] create(boolean signed) {
    float[] map = new float[SIZE];
    int size = 0;
    for (int i = 0; i < POWERS_OF_TEN.length; i++) {
      int steps = signed ? 1 << i : 2 << i;
      for (int k = 0; k < steps; k++) {
        float value = (point(k, steps) + point(k + 1, steps)) / 2f * POWERS_OF_TEN[i];
        map[size++] = value;
        if (signed) {
          map[size++] = -value;
        }
      }
    }
    map[size++] = 0f;
    map[size] = 1f;
    Arrays.sort(map);
    return map;
  }

  private static float point(int k, int steps) {
    float step = (1f - 0.1f) / steps;
    return k < (steps + 1) / 2 ? Math.fma(step, k, 0.1f) : Math.fma(-step, steps - k, 1f);
  }
}
