package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DynamicMap;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link DynamicMap#nearest} of many numbers at once by vectors of 512 bits, to the same code, for the two maps that divide
 * decades evenly. A step is a code counted from that of zero. Within a decade the midpoints at which steps change lie on a
 * line, and each decade's line is flatter than the one before by a factor of five: so the least of all lines counts steps,
 * but for the borders of decades.
 *
 * <p>Let values lie w apart below a border b and 5w above. The lower line counts the border's step s at b, the upper line too,
 * but the midpoint is at b + w, where the lower line counts s + 1. So the steps are
 * {@code max(min(lower, last), min(lower, upper + 1) - 1)}, where {@code last} is just below s: up to b + w the lower line, cut
 * off, from there on what is one less than the lower line, until the upper one is below that. What lies between zero and the
 * first decade is a line of its own.
 *
 * <p>Between two powers of two no more than two of the lines count, so the exponent looks these two up. The step of 1 has an
 * exponent of its own: numbers are multiplied so that the midpoint below it becomes 1.
 *
 * <p>Lines' offsets are so large that a sum's last bit is 2⁻¹⁴ of a step. It comes nearer than two of those to the exact place.
 * Numbers that are no farther from a midpoint, about one in 7,000, are divided and looked up one by one.
 *
 * <p>Sixteen numbers take one pass of 24 vector instructions, or 19 where none is negative. When the lower line went on
 * at borders and a second pass took the places away that it had counted too much, there were 31.
 */
final class DecadeCodes {
  /** Whether vectors are of 512 bits. */
  static final boolean FITS = LANES == 16;
  /** Numbers that are done at once. */
  static final int RUN = 256;

  private static final VectorSpecies<Byte> CODES = ByteVector.SPECIES_128;
  private static final int DECADES = 7;
  /** Powers of two that the two vectors of a table have lines for: the last five bits of a float's exponent. */
  private static final int OCTAVES = 32;
  /** Bits of a float behind its exponent. */
  private static final int SIGNIFICAND_BITS = 23;
  /** The exponent of 1, as a float has it. */
  private static final int EXPONENT_OF_ONE = 127;
  /** Added to each number, so that the least still has one of these exponents. */
  private static final float FLOOR = 0x1p-27f;
  /** By how much numbers are multiplied more, so that none that is not below the last midpoint is rounded to less than 1. */
  private static final double MARGIN = 0x1p-21;
  /** Bits of a step's fraction in a sum. */
  private static final int FRACTION_BITS = 14;
  private static final int FRACTION = (1 << FRACTION_BITS) - 1;
  /** Sums from 512 to 1023 are floats with {@link #FRACTION_BITS} bits behind the point. */
  private static final float BASE = 512;
  /** What the bits of {@link #BASE} are as a step, which the last byte does not show. */
  private static final int BASE_STEP = Float.floatToRawIntBits(BASE) >>> FRACTION_BITS;
  /** Added to each offset, so that fractions near a whole number on either side are those up to {@link #NEAR}. */
  private static final int DOUBT = 1;
  private static final int NEAR = 2 * DOUBT;

  private final DynamicMap map;
  private final boolean signed;
  /** The code of zero. */
  private final int zero;
  /** What a number is multiplied by, beside being divided. */
  private final float scale;
  /** Of the lower line that may count in an octave, and of the upper one. */
  private final int[] lowerSlopes = new int[OCTAVES];
  private final int[] upperSlopes = new int[OCTAVES];
  private final int[] lowerOffsets = new int[OCTAVES];
  private final int[] upperOffsets = new int[OCTAVES];
  /** Where the lower line is cut off. */
  private final int[] lasts = new int[OCTAVES];

  /** @param map {@link DynamicMap#SIGNED} or {@link DynamicMap#UNSIGNED} */
  DecadeCodes(DynamicMap map) {
    if (map != DynamicMap.SIGNED && map != DynamicMap.UNSIGNED) {
      throw new IllegalArgumentException("only the two maps of bitsandbytes divide decades evenly");
    }
    this.map = map;
    signed = map == DynamicMap.SIGNED;
    zero = map.nearest(0f);
    float[] all = map.midpoints();
    int lastStep = all.length - zero;
    double factor = (1 + MARGIN) / all[all.length - 1];
    scale = (float) factor;
    double[] midpoints = new double[lastStep + 1];
    for (int step = 1; step <= lastStep; step++) {
      midpoints[step] = all[zero + step - 1] * factor;
    }
    List<Line> lines = new ArrayList<>();
    // Zero is to be far from a whole number.
    lines.add(
        signed ? Line.through(midpoints[1], 1, midpoints[2], 2, 3) : Line.through(0, 0.125, midpoints[1], 1, 2));
    for (int decade = signed ? 1 : 0; decade < DECADES; decade++) {
      int first = signed ? 1 << decade : (2 << decade) - 1;
      int border = signed ? 2 * first : 2 * first + 1;
      lines.add(decade < DECADES - 1
          ? Line.through(midpoints[first + 1], first + 1, midpoints[border], border + 1, border)
          : Line.through(midpoints[first + 1], first + 1, midpoints[border - 1], border - 1, border));
    }
    for (int octave = 0; octave < OCTAVES - 1; octave++) {
      lookUp(octave, lines);
    }
    // From 1 on there is one step. Numbers next to 1 are to be near its begin.
    Line line = Line.through(1, lastStep, 1 + 2 * MARGIN, lastStep + Math.scalb((double) DOUBT, -FRACTION_BITS),
        lastStep + 1);
    set(OCTAVES - 1, line, line, 0);
  }

  /** Which lines may count in an octave: those that are the least at its ends, each raised by one above the one before. */
  private void lookUp(int octave, List<Line> lines) {
    double begin = Math.scalb(1.0, octave + EXPONENT_OF_ONE / OCTAVES * OCTAVES - EXPONENT_OF_ONE);
    int lower = least(lines, begin);
    int upper = least(lines, 2 * begin);
    if (upper > lower + 1) {
      throw new IllegalArgumentException("three lines count between %s and %s".formatted(begin, 2 * begin));
    }
    set(octave, lines.get(lower), lines.get(upper), upper - lower);
  }

  private static int least(List<Line> lines, double x) {
    int least = 0;
    for (int i = 1; i < lines.size(); i++) {
      if (lines.get(i).at(x) + i < lines.get(least).at(x) + least) {
        least = i;
      }
    }
    return least;
  }

  private void set(int octave, Line lower, Line upper, int raise) {
    lowerSlopes[octave] = Float.floatToRawIntBits((float) lower.slope);
    upperSlopes[octave] = Float.floatToRawIntBits((float) upper.slope);
    lowerOffsets[octave] = lower.offsetBits(0);
    upperOffsets[octave] = upper.offsetBits(raise);
    lasts[octave] = Float.floatToRawIntBits(BASE + lower.border) - 1;
  }

  /**
   * {@code slope * x + offset} steps.
   *
   * @param border the first step that this line does not count
   */
  private record Line(double slope, double offset, int border) {
    static Line through(double x0, double step0, double x1, double step1, int border) {
      double slope = (step1 - step0) / (x1 - x0);
      return new Line(slope, step0 - slope * x0, border);
    }

    double at(double x) {
      return slope * x + offset;
    }

    /** What makes a sum of the product with a number to which {@link #FLOOR} has been added. */
    int offsetBits(int raise) {
      return Float.floatToRawIntBits(
          (float) (offset - slope * FLOOR + raise + BASE + Math.scalb((double) DOUBT, -FRACTION_BITS)));
    }
  }

  /**
   * Codes of {@code values[i] / divisor}, of {@value #RUN} values, finite and of magnitudes up to the divisor.
   *
   * @param divisor from 2⁻¹⁰⁰ to 2¹⁰⁰
   * @param sums memory for as many ints
   * @param codes memory outside the heap, where the first code is at {@code at}
   * @return how many numbers were too near a midpoint for lines to tell
   */
  int quantize(float[] values, float divisor, int[] sums, MemorySegment codes, long at) {
    int leastFraction = quantize(values, divisor, sums, FloatMemory.byteAddress(codes, at, RUN));
    return leastFraction <= NEAR ? divide(values, divisor, sums, codes, at) : 0;
  }

  /** Finds the codes of numbers that are near a midpoint by division; returns how many. */
  private int divide(float[] values, float divisor, int[] sums, MemorySegment codes, long at) {
    int near = 0;
    for (int first = 0; first < RUN; first += LANES) {
      if (!IntVector.fromArray(INTS, sums, first).and(FRACTION).compare(VectorOperators.LE, NEAR).anyTrue()) {
        continue;
      }
      for (int i = first; i < first + LANES; i++) {
        if ((sums[i] & FRACTION) <= NEAR) {
          codes.set(ValueLayout.JAVA_BYTE, at + i, (byte) map.nearest(values[i] / divisor));
          near++;
        }
      }
    }
    return near;
  }

  /** Sums and codes; returns the least fraction. */
  private int quantize(float[] values, float divisor, int[] sums, long codesAt) {
    // A quotient of vectors, since the compiler would spread a number over a vector again for each vector of values.
    FloatVector factor = FloatVector.broadcast(FLOATS, scale).div(FloatVector.broadcast(FLOATS, divisor));
    FloatVector floor = FloatVector.broadcast(FLOATS, FLOOR);
    IntVector lowerSlopes0 = IntVector.fromArray(INTS, lowerSlopes, 0);
    IntVector lowerSlopes1 = IntVector.fromArray(INTS, lowerSlopes, LANES);
    IntVector upperSlopes0 = IntVector.fromArray(INTS, upperSlopes, 0);
    IntVector upperSlopes1 = IntVector.fromArray(INTS, upperSlopes, LANES);
    IntVector lowerOffsets0 = IntVector.fromArray(INTS, lowerOffsets, 0);
    IntVector lowerOffsets1 = IntVector.fromArray(INTS, lowerOffsets, LANES);
    IntVector upperOffsets0 = IntVector.fromArray(INTS, upperOffsets, 0);
    IntVector upperOffsets1 = IntVector.fromArray(INTS, upperOffsets, LANES);
    IntVector lasts0 = IntVector.fromArray(INTS, lasts, 0);
    IntVector lasts1 = IntVector.fromArray(INTS, lasts, LANES);
    boolean signed = this.signed;
    int zero = this.zero;
    IntVector fraction = IntVector.broadcast(INTS, FRACTION);
    for (int i = 0; i < RUN; i += LANES) {
      FloatVector value = FloatVector.fromArray(FLOATS, values, i);
      FloatVector x = value.abs().fma(factor, floor);
      IntVector octave = x.reinterpretAsInts().lanewise(VectorOperators.LSHR, SIGNIFICAND_BITS);
      // Positive floats are in order as ints, whose minimum is one instruction.
      IntVector lower = x.fma(octave.selectFrom(lowerSlopes0, lowerSlopes1).reinterpretAsFloats(),
          octave.selectFrom(lowerOffsets0, lowerOffsets1).reinterpretAsFloats()).reinterpretAsInts();
      IntVector upper = x.fma(octave.selectFrom(upperSlopes0, upperSlopes1).reinterpretAsFloats(),
          octave.selectFrom(upperOffsets0, upperOffsets1).reinterpretAsFloats()).reinterpretAsInts();
      IntVector sum = lower.min(octave.selectFrom(lasts0, lasts1)).max(lower.min(upper).sub(1 << FRACTION_BITS));
      fraction = fraction.min(sum.and(FRACTION));
      sum.intoArray(sums, i);
      IntVector code = sum.lanewise(VectorOperators.LSHR, FRACTION_BITS);
      if (signed) {
        // Negative numbers count downwards from zero, and there is no code for -1.
        IntVector minusOneIfNegative = value.reinterpretAsInts().lanewise(VectorOperators.ASHR, Integer.SIZE - 1);
        code = code.lanewise(VectorOperators.XOR, minusOneIfNegative).max(~(BASE_STEP + zero))
            .sub(minusOneIfNegative).add(zero);
      }
      ((ByteVector) code.castShape(CODES, 0)).intoMemorySegment(FloatMemory.MEMORY, codesAt + i,
          ByteOrder.LITTLE_ENDIAN);
    }
    return fraction.reduceLanes(VectorOperators.MIN);
  }
}
