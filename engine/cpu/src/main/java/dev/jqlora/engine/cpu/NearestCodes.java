package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DynamicMap;
import jdk.incubator.vector.FloatVector;

/**
 * {@link DynamicMap#nearest} of many numbers at once, to the same code. Numbers that share the upper half of their bits lie
 * between at most two codes, so one look-up brings a code and the lower half of the midpoint, if any, from which on its
 * neighbour is nearer. NaN gives code 0, as there; a NaN whose upper half is that of infinity does not come out of a
 * division.
 */
final class NearestCodes {
  private static final int HALF = 0xffff;
  /** For the upper half of a float's bits: a code, and the greatest lower half that it holds for. */
  private final int[] codeAndLast = new int[HALF + 1];

  NearestCodes(DynamicMap map) {
    float[] midpoints = map.midpoints();
    for (int upper = 0; upper < codeAndLast.length; upper++) {
      float inner = Float.intBitsToFloat(upper << Short.SIZE);
      float outer = Float.intBitsToFloat(upper << Short.SIZE | HALF);
      codeAndLast[upper] = map.nearest(inner) << Short.SIZE | HALF;
      if (Float.isFinite(inner) && map.nearest(inner) != map.nearest(outer)) {
        if (Math.abs(map.nearest(inner) - map.nearest(outer)) != 1) {
          throw new IllegalArgumentException("the map's codes lie too close at " + inner);
        }
        float midpoint = midpoints[Math.min(map.nearest(inner), map.nearest(outer))];
        int lower = Float.floatToRawIntBits(midpoint) & HALF;
        // A tie takes the lower code: it is the inner one of positive numbers, the outer one of negative ones.
        codeAndLast[upper] = map.nearest(inner) << Short.SIZE | (upper > HALF / 2 ? lower - 1 : lower);
      }
    }
  }

  /**
   * Codes of {@code values[i] / divisor}. The look-ups are a loop of their own between two
   * that the compiler does with vectors.
   *
   * @param bits memory for as many ints as there are values, a multiple of the vectors' lanes; entries likewise
   */
  void quantize(float[] values, float divisor, int[] bits, int[] entries, byte[] codes) {
    FloatVector divisors = FloatVector.broadcast(FLOATS, divisor);
    for (int i = 0; i < values.length; i += LANES) {
      FloatVector.fromArray(FLOATS, values, i).div(divisors).reinterpretAsInts().intoArray(bits, i);
    }
    for (int i = 0; i < values.length; i++) {
      entries[i] = codeAndLast[bits[i] >>> Short.SIZE];
    }
    for (int i = 0; i < values.length; i++) {
      int beyond = (entries[i] & HALF) - (bits[i] & HALF) >> Integer.SIZE - 1;
      int outwards = bits[i] >> Integer.SIZE - 1 | 1;
      codes[i] = (byte) ((entries[i] >>> Short.SIZE) + (beyond & outwards));
    }
  }
}
