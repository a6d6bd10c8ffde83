package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DynamicMap;
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
 * <p>The lines are taken times 1 / divisor, and their offsets are so large that a sum's last bit is 2⁻¹⁴ of a place. It comes
 * nearer than two of those to the exact place. Where a number is no farther from a midpoint, one in 5,000, nothing is decided
 * here: {@link NearestCodes} divides exactly.
 */
final class DecadeCodes {
  /** Whether vectors are of 512 bits. */
  static final boolean FITS = LANES == 16;
  /** Numbers that are done at once. */
  static final int RUN = 256;

  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_512;
  private static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_256;
  private static final int DECADES = 7;
  private static final int LINES = 9;
  /** Room for a whole vector of slopes. */
  private static final int SLOPES = 16;
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
  private final float[] slopes = new float[SLOPES];
  private final float[] offsets = new float[LINES];
  /** First places of the steps before borders. */
  private final short[] borders = new short[BORDERS];

  /** @param map {@link DynamicMap#SIGNED} or {@link DynamicMap#UNSIGNED} */
  DecadeCodes(DynamicMap map) {
    if (map != DynamicMap.SIGNED && map != DynamicMap.UNSIGNED) {
      throw new IllegalArgumentException("only the two maps of bitsandbytes divide decades evenly");
    }
    boolean signed = map == DynamicMap.SIGNED;
    zero = map.nearest(0f);
    float[] all = map.midpoints();
    last = all.length - zero;
    double[] midpoints = new double[last + 1];
    for (int step = 1; step <= last; step++) {
      midpoints[step] = all[zero + step - 1];
    }
    // The first four midpoints lie in more than one decade; two lines take them without places to spare.
    line(0, midpoints[1], 1, midpoints[2], 2);
    line(1, midpoints[3], 3, midpoints[4], 4);
    int line = 2;
    int passed = 0;
    int first = signed ? 4 : 3;
    for (int decade = signed ? 2 : 1; decade < DECADES; decade++) {
      int next = signed ? 2 * first : 2 * first + 1;
      line(line++, midpoints[first + 1], first + 1 + passed, midpoints[next - 1], next - 1 + passed);
      if (decade < DECADES - 1) {
        borders[passed] = (short) (next + passed);
        passed++;
      }
      first = next;
    }
    line(LINES - 1, midpoints[last], last + passed, 1, last + passed + 0.5);
    for (; line < LINES - 1; line++) {
      slopes[line] = slopes[0];
      offsets[line] = offsets[0];
    }
    for (; passed < BORDERS; passed++) {
      borders[passed] = PLACES;
    }
  }

  /** A line through two points. */
  private void line(int index, double x0, double place0, double x1, double place1) {
    double slope = (place1 - place0) / (x1 - x0);
    slopes[index] = (float) slope;
    offsets[index] = (float) (place0 - slope * x0 + BASE + Math.scalb((double) DOUBT, -FRACTION_BITS));
  }

  /** Memory for the numbers of one thread. */
  static final class Buffers {
    private final short[] places = new short[RUN];
    private final float[] slopes = new float[SLOPES];
  }

  /**
   * Codes of {@code values[i] / divisor}, of {@value #RUN} values, finite and of magnitudes up to the divisor.
   *
   * @param divisor from 2⁻¹⁰⁰ to 2¹⁰⁰
   * @return whether the codes are known; if not, none has been written
   */
  boolean quantize(float[] values, float divisor, Buffers buffers, byte[] codes, int firstCode) {
    FloatVector.fromArray(FLOATS, slopes, 0).mul(1 / divisor).intoArray(buffers.slopes, 0);
    if (places(values, buffers.slopes, buffers.places) <= 2 * DOUBT) {
      return false;
    }
    codes(buffers.places, codes, firstCode);
    return true;
  }

  /** Places, with all bits inverted for negative numbers; returns the least fraction. */
  private int places(float[] values, float[] slopes, short[] places) {
    FloatVector offset0 = FloatVector.broadcast(FLOATS, offsets[0]);
    FloatVector offset1 = FloatVector.broadcast(FLOATS, offsets[1]);
    FloatVector offset2 = FloatVector.broadcast(FLOATS, offsets[2]);
    FloatVector offset3 = FloatVector.broadcast(FLOATS, offsets[3]);
    FloatVector offset4 = FloatVector.broadcast(FLOATS, offsets[4]);
    FloatVector offset5 = FloatVector.broadcast(FLOATS, offsets[5]);
    FloatVector offset6 = FloatVector.broadcast(FLOATS, offsets[6]);
    FloatVector offset7 = FloatVector.broadcast(FLOATS, offsets[7]);
    FloatVector offset8 = FloatVector.broadcast(FLOATS, offsets[8]);
    FloatVector slope0 = FloatVector.broadcast(FLOATS, slopes[0]);
    FloatVector slope1 = FloatVector.broadcast(FLOATS, slopes[1]);
    FloatVector slope2 = FloatVector.broadcast(FLOATS, slopes[2]);
    FloatVector slope3 = FloatVector.broadcast(FLOATS, slopes[3]);
    FloatVector slope4 = FloatVector.broadcast(FLOATS, slopes[4]);
    FloatVector slope5 = FloatVector.broadcast(FLOATS, slopes[5]);
    FloatVector slope6 = FloatVector.broadcast(FLOATS, slopes[6]);
    FloatVector slope7 = FloatVector.broadcast(FLOATS, slopes[7]);
    FloatVector slope8 = FloatVector.broadcast(FLOATS, slopes[8]);
    IntVector fraction = IntVector.broadcast(INTS, FRACTION);
    for (int i = 0; i < RUN; i += LANES) {
      FloatVector value = FloatVector.fromArray(FLOATS, values, i);
      FloatVector x = value.abs();
      // Positive floats are in order as ints, whose minimum is one instruction.
      IntVector sum = x.fma(slope0, offset0).reinterpretAsInts();
      sum = sum.min(x.fma(slope1, offset1).reinterpretAsInts());
      sum = sum.min(x.fma(slope2, offset2).reinterpretAsInts());
      sum = sum.min(x.fma(slope3, offset3).reinterpretAsInts());
      sum = sum.min(x.fma(slope4, offset4).reinterpretAsInts());
      sum = sum.min(x.fma(slope5, offset5).reinterpretAsInts());
      sum = sum.min(x.fma(slope6, offset6).reinterpretAsInts());
      sum = sum.min(x.fma(slope7, offset7).reinterpretAsInts());
      sum = sum.max(x.fma(slope8, offset8).reinterpretAsInts());
      fraction = fraction.min(sum.and(FRACTION));
      IntVector place = sum.lanewise(VectorOperators.LSHR, FRACTION_BITS).lanewise(VectorOperators.XOR,
          value.reinterpretAsInts().lanewise(VectorOperators.ASHR, Integer.SIZE - 1));
      ((ShortVector) place.castShape(HALF_SHORTS, 0)).intoArray(places, i);
    }
    return fraction.reduceLanes(VectorOperators.MIN);
  }

  private void codes(short[] places, byte[] codes, int firstCode) {
    ShortVector border0 = ShortVector.broadcast(SHORTS, borders[0]);
    ShortVector border1 = ShortVector.broadcast(SHORTS, borders[1]);
    ShortVector border2 = ShortVector.broadcast(SHORTS, borders[2]);
    ShortVector border3 = ShortVector.broadcast(SHORTS, borders[3]);
    ShortVector border4 = ShortVector.broadcast(SHORTS, borders[4]);
    ShortVector one = ShortVector.broadcast(SHORTS, 1);
    // Negative numbers count downwards from zero, and there is no code for -1.
    for (int i = 0; i < RUN; i += SHORTS.length()) {
      ShortVector signedPlace = ShortVector.fromArray(SHORTS, places, i);
      ShortVector minusOneIfNegative = signedPlace.lanewise(VectorOperators.ASHR, Short.SIZE - 1);
      ShortVector place = signedPlace.lanewise(VectorOperators.XOR, minusOneIfNegative).and(PLACES);
      ShortVector step = place.sub(one, place.compare(VectorOperators.GE, border0))
          .sub(one, place.compare(VectorOperators.GE, border1)).sub(one, place.compare(VectorOperators.GE, border2))
          .sub(one, place.compare(VectorOperators.GE, border3)).sub(one, place.compare(VectorOperators.GE, border4))
          .min(minusOneIfNegative.add((short) last));
      ShortVector code = step.lanewise(VectorOperators.XOR, minusOneIfNegative).sub(minusOneIfNegative)
          .add((short) zero);
      ((ByteVector) code.castShape(ByteVector.SPECIES_256, 0)).intoArray(codes, firstCode + i);
    }
  }
}
