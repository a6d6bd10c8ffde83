package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DynamicMap;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link DynamicMap#nearest} of many numbers at once, to the same code. Numbers that share the upper half of their bits lie
 * between at most two codes, so one look-up brings the first of them and how much must be added to the lower half to carry
 * into the next one. NaN gives code 0, as there; a NaN whose upper half is that of infinity does not come out of a division.
 *
 * <p>With vectors of 512 bits a gather looks up and the rest is six instructions for 16 numbers; the compiler does not narrow
 * ints to bytes by itself, which took four times as long as all the rest. Other widths, some of which cannot gather, look up
 * one by one.
 */
final class NearestCodes {
  private static final boolean WIDE = LANES == 16;
  private static final int HALF = 0xffff;
  /**
   * For the upper half of a float's bits an int whose upper half is a code and whose lower half, added to that of the number,
   * carries beyond the midpoint, if there is one. Of negative numbers the codes descend: they come with the code behind, and
   * with what is to be added to the complement.
   */
  private final int[] entries = new int[HALF + 1];

  NearestCodes(DynamicMap map) {
    float[] midpoints = map.midpoints();
    for (int upper = 0; upper < entries.length; upper++) {
      float inner = Float.intBitsToFloat(upper << Short.SIZE);
      float outer = Float.intBitsToFloat(upper << Short.SIZE | HALF);
      boolean negative = upper > HALF / 2;
      int code = map.nearest(inner);
      // The last of the lower halves, which grow outwards, that have the inner number's code.
      int last = HALF;
      if (Float.isFinite(inner) && code != map.nearest(outer)) {
        if (Math.abs(code - map.nearest(outer)) != 1) {
          throw new IllegalArgumentException("the map's codes lie too close at " + inner);
        }
        int midpoint = Float.floatToRawIntBits(midpoints[Math.min(code, map.nearest(outer))]) & HALF;
        // A tie takes the lower code: it is the inner one of positive numbers, the outer one of negative ones.
        last = negative ? midpoint - 1 : midpoint;
      }
      entries[upper] = negative ? (code - 1 << Short.SIZE) + last + 1 : (code << Short.SIZE) + HALF - last;
    }
  }

  /** Memory for the numbers of one thread. */
  static final class Buffers {
    private final int[] bits;
    private final int[] uppers;

    /** @param most numbers at once, a multiple of the vectors' lanes */
    Buffers(int most) {
      bits = new int[most];
      uppers = new int[most];
    }
  }

  /** Codes of {@code values[i] / divisor}, of as many values as the buffers hold. */
  void quantize(float[] values, float divisor, Buffers buffers, byte[] codes, int firstCode) {
    FloatVector divisors = FloatVector.broadcast(FLOATS, divisor);
    for (int i = 0; i < buffers.bits.length; i += LANES) {
      IntVector bits = FloatVector.fromArray(FLOATS, values, i).div(divisors).reinterpretAsInts();
      bits.intoArray(buffers.bits, i);
      bits.lanewise(VectorOperators.LSHR, Short.SIZE).intoArray(buffers.uppers, i);
    }
    if (WIDE) {
      gather(buffers, codes, firstCode);
    } else {
      lookUp(buffers, codes, firstCode);
    }
  }

  private void gather(Buffers buffers, byte[] codes, int firstCode) {
    for (int i = 0; i < buffers.bits.length; i += LANES) {
      IntVector bits = IntVector.fromArray(INTS, buffers.bits, i);
      IntVector lower = bits.lanewise(VectorOperators.XOR, bits.lanewise(VectorOperators.ASHR, Integer.SIZE - 1)).and(HALF);
      IntVector code = IntVector.fromArray(INTS, entries, 0, buffers.uppers, i).add(lower)
          .lanewise(VectorOperators.LSHR, Short.SIZE);
      ((ByteVector) code.castShape(ByteVector.SPECIES_128, 0)).intoArray(codes, firstCode + i);
    }
  }

  private void lookUp(Buffers buffers, byte[] codes, int firstCode) {
    for (int i = 0; i < buffers.bits.length; i++) {
      int bits = buffers.bits[i];
      int lower = (bits ^ bits >> Integer.SIZE - 1) & HALF;
      codes[firstCode + i] = (byte) (entries[buffers.uppers[i]] + lower >>> Short.SIZE);
    }
  }
}
