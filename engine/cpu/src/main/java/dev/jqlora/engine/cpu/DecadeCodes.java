package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DynamicMap;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@link DynamicMap#nearest} of many numbers at once by vectors of 512 bits, to the same code, for the two maps that divide
 * decades evenly. A step is a code counted from that of zero. Within a decade the midpoints at which steps change lie on a
 * line, and each decade's line is flatter than the one before by a factor of five: so the least of all lines counts steps.
 *
 * <p>At the border of two decades, where midpoints lie closer than in the upper one and farther apart than in the lower, the
 * lower line goes on until it has counted one place more than there are steps: the step before the border has two places. A
 * place is a step plus the number of such borders below it. One line more, steeper than the last decade's, ends at 1.
 *
 * <p>Between two powers of two no more than two of the lines are the least, so the exponent looks these two up. Their offsets
 * are so large that a sum's last bit is 2⁻¹⁴ of a place. It comes nearer than two of those to the exact place. Numbers that
 * are no farther from a midpoint, one in 5,000, are divided and looked up one by one.
 *
 * <p>With all lines at once, 46 instructions for 16 numbers instead of 31, and blocks with such a number left to
 * {@link NearestCodes}, an AdamW step in the caches took 18 ns for 16 numbers instead of 15 (AMD Zen 5).
 */
final class DecadeCodes {
  /** Whether vectors are of 512 bits. */
  static final boolean FITS = LANES == 16;
  /** Numbers that are done at once. */
  static final int RUN = 256;

  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_512;
  private static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_256;
  private static final int DECADES = 7;
  /** Powers of two that the two vectors of a table have lines for: the last five bits of a float's exponent. */
  private static final int OCTAVES = 32;
  /** Bits of a float behind its exponent. */
  private static final int SIGNIFICAND_BITS = 23;
  /** The exponent of 1, as a float has it. */
  private static final int EXPONENT_OF_ONE = 127;
  /** Added to each number, so that the least still has one of these exponents. */
  private static final float FLOOR = 0x1p-27f;
  /** Borders of decades at which a step has two places. */
  private static final int BORDERS = 5;
  /** Bits of a place's fraction in a sum. */
  private static final int FRACTION_BITS = 14;
  private static final int FRACTION = (1 << FRACTION_BITS) - 1;
  /** Sums from 512 to 1023 are floats with {@link #FRACTION_BITS} bits behind the point. */
  private static final float BASE = 512;
  private static final short PLACES = 511;
  /** Added to each offset, so that fractions near a whole number on either side are those up to twice this. */
  private static final int DOUBT = 1;

  /** The code of zero. */
  private final int zero;
  /** The step of 1. */
  private final int last;
  private final DynamicMap map;
  private final boolean signed;
  /** Of the two lines that may be the least in an octave. */
  private final int[] slopesA = new int[OCTAVES];
  private final int[] slopesB = new int[OCTAVES];
  private final int[] offsetsA = new int[OCTAVES];
  private final int[] offsetsB = new int[OCTAVES];
  /** The line that ends at 1. */
  private final Line lastLine;
  /** First places of the steps before borders. */
  private final short[] borders = new short[BORDERS];

  /** @param map {@link DynamicMap#SIGNED} or {@link DynamicMap#UNSIGNED} */
  DecadeCodes(DynamicMap map) {
    if (map != DynamicMap.SIGNED && map != DynamicMap.UNSIGNED) {
      throw new IllegalArgumentException("only the two maps of bitsandbytes divide decades evenly");
    }
    this.map = map;
    signed = map == DynamicMap.SIGNED;
    zero = map.nearest(0f);
    float[] all = map.midpoints();
    last = all.length - zero;
    double[] midpoints = new double[last + 1];
    for (int step = 1; step <= last; step++) {
      midpoints[step] = all[zero + step - 1];
    }
    List<Line> lines = new ArrayList<>();
    // The first four midpoints lie in more than one decade; two lines take them without places to spare.
    lines.add(Line.through(midpoints[1], 1, midpoints[2], 2));
    lines.add(Line.through(midpoints[3], 3, midpoints[4], 4));
    int passed = 0;
    int first = signed ? 4 : 3;
    for (int decade = signed ? 2 : 1; decade < DECADES; decade++) {
      int next = signed ? 2 * first : 2 * first + 1;
      lines.add(Line.through(midpoints[first + 1], first + 1 + passed, midpoints[next - 1], next - 1 + passed));
      if (decade < DECADES - 1) {
        borders[passed] = (short) (next + passed);
        passed++;
      }
      first = next;
    }
    lastLine = Line.through(midpoints[last], last + passed, 1, last + passed + 0.5);
    for (; passed < BORDERS; passed++) {
      borders[passed] = PLACES;
    }
    for (int octave = 0; octave < OCTAVES; octave++) {
      lookUp(octave, lines);
    }
  }

  /** Which lines may be the least in an octave: those that are at its ends. */
  private void lookUp(int octave, List<Line> lines) {
    double begin = Math.scalb(1.0, octave + EXPONENT_OF_ONE / OCTAVES * OCTAVES - EXPONENT_OF_ONE);
    double end = 2 * begin;
    Line a = least(lines, begin);
    Line b = least(lines, end);
    if (a != b) {
      double meeting = (b.offset - a.offset) / (a.slope - b.slope);
      if (least(lines, meeting).at(meeting) < a.at(meeting) - 1e-6) {
        throw new IllegalArgumentException("three lines count between %s and %s".formatted(begin, end));
      }
    }
    slopesA[octave] = a.slopeBits();
    slopesB[octave] = b.slopeBits();
    offsetsA[octave] = a.offsetBits();
    offsetsB[octave] = b.offsetBits();
  }

  private static Line least(List<Line> lines, double x) {
    return Collections.min(lines, Comparator.comparingDouble(line -> line.at(x)));
  }

  /** Counts places of a number to which {@link #FLOOR} has been added. */
  private record Line(double slope, double offset) {
    static Line through(double x0, double place0, double x1, double place1) {
      double slope = (place1 - place0) / (x1 - x0);
      return new Line(slope, place0 - slope * (x0 + FLOOR) + BASE + Math.scalb((double) DOUBT, -FRACTION_BITS));
    }

    double at(double x) {
      return slope * x + offset;
    }

    int slopeBits() {
      return Float.floatToRawIntBits((float) slope);
    }

    int offsetBits() {
      return Float.floatToRawIntBits((float) offset);
    }
  }

  /** Memory for the numbers of one thread. */
  static final class Buffers {
    private final int[] sums = new int[RUN];
    private final short[] places = new short[RUN];
  }

  /**
   * Codes of {@code values[i] / divisor}, of {@value #RUN} values, finite and of magnitudes up to the divisor.
   *
   * @param divisor from 2⁻¹⁰⁰ to 2¹⁰⁰
   * @return how many numbers were too near a midpoint for lines to tell
   */
  int quantize(float[] values, float divisor, Buffers buffers, byte[] codes) {
    int leastFraction = places(values, 1 / divisor, buffers.sums, buffers.places);
    if (signed) {
      signedCodes(buffers.places, codes);
    } else {
      unsignedCodes(buffers.places, codes);
    }
    int near = 0;
    for (int i = 0; i < RUN && leastFraction <= 2 * DOUBT; i++) {
      if ((buffers.sums[i] & FRACTION) <= 2 * DOUBT) {
        codes[i] = (byte) map.nearest(values[i] / divisor);
        near++;
      }
    }
    return near;
  }

  /** Sums and places, these with all bits inverted for negative numbers; returns the least fraction. */
  private int places(float[] values, float inverse, int[] sums, short[] places) {
    FloatVector factor = FloatVector.broadcast(FLOATS, inverse);
    FloatVector floor = FloatVector.broadcast(FLOATS, FLOOR);
    IntVector slopesA0 = IntVector.fromArray(INTS, slopesA, 0);
    IntVector slopesA1 = IntVector.fromArray(INTS, slopesA, LANES);
    IntVector slopesB0 = IntVector.fromArray(INTS, slopesB, 0);
    IntVector slopesB1 = IntVector.fromArray(INTS, slopesB, LANES);
    IntVector offsetsA0 = IntVector.fromArray(INTS, offsetsA, 0);
    IntVector offsetsA1 = IntVector.fromArray(INTS, offsetsA, LANES);
    IntVector offsetsB0 = IntVector.fromArray(INTS, offsetsB, 0);
    IntVector offsetsB1 = IntVector.fromArray(INTS, offsetsB, LANES);
    FloatVector lastSlope = FloatVector.broadcast(FLOATS, (float) lastLine.slope);
    FloatVector lastOffset = FloatVector.broadcast(FLOATS, (float) lastLine.offset);
    IntVector fraction = IntVector.broadcast(INTS, FRACTION);
    for (int i = 0; i < RUN; i += LANES) {
      FloatVector value = FloatVector.fromArray(FLOATS, values, i);
      FloatVector x = value.abs().fma(factor, floor);
      IntVector octave = x.reinterpretAsInts().lanewise(VectorOperators.LSHR, SIGNIFICAND_BITS);
      FloatVector a = x.fma(octave.selectFrom(slopesA0, slopesA1).reinterpretAsFloats(),
          octave.selectFrom(offsetsA0, offsetsA1).reinterpretAsFloats());
      FloatVector b = x.fma(octave.selectFrom(slopesB0, slopesB1).reinterpretAsFloats(),
          octave.selectFrom(offsetsB0, offsetsB1).reinterpretAsFloats());
      // Positive floats are in order as ints, whose minimum is one instruction.
      IntVector sum = a.reinterpretAsInts().min(b.reinterpretAsInts())
          .max(x.fma(lastSlope, lastOffset).reinterpretAsInts());
      fraction = fraction.min(sum.and(FRACTION));
      sum.intoArray(sums, i);
      IntVector place = sum.lanewise(VectorOperators.LSHR, FRACTION_BITS);
      if (signed) {
        place = place.lanewise(VectorOperators.XOR,
            value.reinterpretAsInts().lanewise(VectorOperators.ASHR, Integer.SIZE - 1));
      }
      ((ShortVector) place.castShape(HALF_SHORTS, 0)).intoArray(places, i);
    }
    return fraction.reduceLanes(VectorOperators.MIN);
  }

  private void signedCodes(short[] places, byte[] codes) {
    ShortVector border0 = ShortVector.broadcast(SHORTS, borders[0]);
    ShortVector border1 = ShortVector.broadcast(SHORTS, borders[1]);
    ShortVector border2 = ShortVector.broadcast(SHORTS, borders[2]);
    ShortVector border3 = ShortVector.broadcast(SHORTS, borders[3]);
    ShortVector one = ShortVector.broadcast(SHORTS, 1);
    // Negative numbers count downwards from zero, and there is no code for -1.
    for (int i = 0; i < RUN; i += SHORTS.length()) {
      ShortVector signedPlace = ShortVector.fromArray(SHORTS, places, i);
      ShortVector minusOneIfNegative = signedPlace.lanewise(VectorOperators.ASHR, Short.SIZE - 1);
      ShortVector place = signedPlace.lanewise(VectorOperators.XOR, minusOneIfNegative).and(PLACES);
      ShortVector step = place.sub(one, place.compare(VectorOperators.GE, border0))
          .sub(one, place.compare(VectorOperators.GE, border1)).sub(one, place.compare(VectorOperators.GE, border2))
          .sub(one, place.compare(VectorOperators.GE, border3)).min(minusOneIfNegative.add((short) last));
      ShortVector code = step.lanewise(VectorOperators.XOR, minusOneIfNegative).sub(minusOneIfNegative)
          .add((short) zero);
      ((ByteVector) code.castShape(ByteVector.SPECIES_256, 0)).intoArray(codes, i);
    }
  }

  /** There are no negative numbers, and the code of zero is 0. */
  private void unsignedCodes(short[] places, byte[] codes) {
    ShortVector border0 = ShortVector.broadcast(SHORTS, borders[0]);
    ShortVector border1 = ShortVector.broadcast(SHORTS, borders[1]);
    ShortVector border2 = ShortVector.broadcast(SHORTS, borders[2]);
    ShortVector border3 = ShortVector.broadcast(SHORTS, borders[3]);
    ShortVector border4 = ShortVector.broadcast(SHORTS, borders[4]);
    ShortVector one = ShortVector.broadcast(SHORTS, 1);
    for (int i = 0; i < RUN; i += SHORTS.length()) {
      ShortVector place = ShortVector.fromArray(SHORTS, places, i).and(PLACES);
      ShortVector step = place.sub(one, place.compare(VectorOperators.GE, border0))
          .sub(one, place.compare(VectorOperators.GE, border1)).sub(one, place.compare(VectorOperators.GE, border2))
          .sub(one, place.compare(VectorOperators.GE, border3)).sub(one, place.compare(VectorOperators.GE, border4))
          .min((short) last);
      ((ByteVector) step.castShape(ByteVector.SPECIES_256, 0)).intoArray(codes, i);
    }
  }
}
