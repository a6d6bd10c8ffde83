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
 * decades evenly. Within a decade a number's place among the values is a line, and each decade's line is flatter than the one
 * before and meets it at their border: the place is the least of the seven lines. Rounded down by half a place it is off by
 * none or one, which a comparison with the exact midpoint decides. So no memory is looked up, but the midpoints in registers.
 */
final class DecadeCodes {
  /** Whether vectors are of 512 bits. */
  static final boolean FITS = LANES == 16;
  /** Numbers that are done at once. */
  static final int RUN = CodeTable.RUN;

  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_256;
  private static final int DECADES = 7;
  /** Adding it leaves the rounded integer in the low bits of the fraction. */
  private static final float ROUNDER = 0x1p23f;
  private static final int MAGNITUDE = Integer.MAX_VALUE;

  private final boolean signed;
  /** The code of zero. */
  private final int zero;
  private final float[] slopes = new float[DECADES];
  private final float[] offsets = new float[DECADES];
  /** For a place, counted from 1, the midpoint that follows it. */
  private final CodeTable midpoints;

  /** @param map {@link DynamicMap#SIGNED} or {@link DynamicMap#UNSIGNED} */
  DecadeCodes(DynamicMap map) {
    if (map != DynamicMap.SIGNED && map != DynamicMap.UNSIGNED) {
      throw new IllegalArgumentException("only the two maps of bitsandbytes divide decades evenly");
    }
    signed = map == DynamicMap.SIGNED;
    zero = map.nearest(0f);
    int first = 1;
    for (int decade = 0; decade < DECADES; decade++) {
      // From a tenth of its upper end on, a decade has so many values.
      int values = signed ? 1 << decade : 2 << decade;
      double valuesPerUnit = values / 0.9;
      slopes[decade] = (float) (valuesPerUnit * Math.pow(10, DECADES - 1 - decade));
      offsets[decade] = (float) (first - 0.1 * valuesPerUnit);
      first += values;
    }
    float[] following = new float[DynamicMap.SIZE];
    float[] all = map.midpoints();
    System.arraycopy(all, zero, following, 1, all.length - zero);
    midpoints = new CodeTable(following);
  }

  /** Memory for the numbers of one thread. */
  static final class Buffers {
    private final int[] bits = new int[RUN];
    private final short[] places = new short[RUN];
    private final float[] midpoints = new float[RUN];
    private final CodeTable.Buffers lookUp = new CodeTable.Buffers();
  }

  /** Codes of {@code values[i] / divisor}, of {@value #RUN} values, finite and of magnitudes up to the divisor. */
  void quantize(float[] values, float divisor, Buffers buffers, byte[] codes, int firstCode) {
    places(values, divisor, buffers);
    midpoints.look(buffers.places, RUN, buffers.lookUp, buffers.midpoints, 0);
    if (signed) {
      decideSigned(buffers, codes, firstCode);
    } else {
      decide(buffers, codes, firstCode);
    }
  }

  /** Places less a half, rounded, and counted from 1. */
  private void places(float[] values, float divisor, Buffers buffers) {
    FloatVector divisors = FloatVector.broadcast(FLOATS, divisor);
    FloatVector offset0 = FloatVector.broadcast(FLOATS, offsets[0]);
    FloatVector offset1 = FloatVector.broadcast(FLOATS, offsets[1]);
    FloatVector offset2 = FloatVector.broadcast(FLOATS, offsets[2]);
    FloatVector offset3 = FloatVector.broadcast(FLOATS, offsets[3]);
    FloatVector offset4 = FloatVector.broadcast(FLOATS, offsets[4]);
    FloatVector offset5 = FloatVector.broadcast(FLOATS, offsets[5]);
    FloatVector offset6 = FloatVector.broadcast(FLOATS, offsets[6]);
    FloatVector slope0 = FloatVector.broadcast(FLOATS, slopes[0]);
    FloatVector slope1 = FloatVector.broadcast(FLOATS, slopes[1]);
    FloatVector slope2 = FloatVector.broadcast(FLOATS, slopes[2]);
    FloatVector slope3 = FloatVector.broadcast(FLOATS, slopes[3]);
    FloatVector slope4 = FloatVector.broadcast(FLOATS, slopes[4]);
    FloatVector slope5 = FloatVector.broadcast(FLOATS, slopes[5]);
    FloatVector slope6 = FloatVector.broadcast(FLOATS, slopes[6]);
    for (int i = 0; i < RUN; i += LANES) {
      IntVector bits = FloatVector.fromArray(FLOATS, values, i).div(divisors).reinterpretAsInts();
      bits.intoArray(buffers.bits, i);
      FloatVector x = bits.and(MAGNITUDE).reinterpretAsFloats();
      // Positive floats are in order as ints, whose minimum is one instruction.
      IntVector least = x.fma(slope0, offset0).reinterpretAsInts();
      least = least.min(x.fma(slope1, offset1).reinterpretAsInts());
      least = least.min(x.fma(slope2, offset2).reinterpretAsInts());
      least = least.min(x.fma(slope3, offset3).reinterpretAsInts());
      least = least.min(x.fma(slope4, offset4).reinterpretAsInts());
      least = least.min(x.fma(slope5, offset5).reinterpretAsInts());
      least = least.min(x.fma(slope6, offset6).reinterpretAsInts());
      IntVector place = least.reinterpretAsFloats().add(ROUNDER).reinterpretAsInts();
      ((ShortVector) place.castShape(SHORTS, 0)).intoArray(buffers.places, i);
    }
  }

  private static void decide(Buffers buffers, byte[] codes, int firstCode) {
    for (int i = 0; i < RUN; i += LANES) {
      IntVector bits = IntVector.fromArray(INTS, buffers.bits, i);
      IntVector midpoint = FloatVector.fromArray(FLOATS, buffers.midpoints, i).reinterpretAsInts();
      IntVector place = (IntVector) ShortVector.fromArray(SHORTS, buffers.places, i).castShape(INTS, 0);
      IntVector code = place.sub(1, bits.compare(VectorOperators.LE, midpoint));
      ((ByteVector) code.castShape(ByteVector.SPECIES_128, 0)).intoArray(codes, firstCode + i);
    }
  }

  /** Negative numbers count downwards from zero; their ties take the code further out, and there is no code for -1. */
  private void decideSigned(Buffers buffers, byte[] codes, int firstCode) {
    for (int i = 0; i < RUN; i += LANES) {
      IntVector bits = IntVector.fromArray(INTS, buffers.bits, i);
      IntVector midpoint = FloatVector.fromArray(FLOATS, buffers.midpoints, i).reinterpretAsInts();
      IntVector place = (IntVector) ShortVector.fromArray(SHORTS, buffers.places, i).castShape(INTS, 0);
      IntVector minusOneIfNegative = bits.lanewise(VectorOperators.ASHR, Integer.SIZE - 1);
      IntVector magnitude = bits.and(MAGNITUDE).sub(minusOneIfNegative);
      IntVector steps = place.sub(1, magnitude.compare(VectorOperators.LE, midpoint))
          .min(minusOneIfNegative.add(zero + 1));
      IntVector code = steps.lanewise(VectorOperators.XOR, minusOneIfNegative).sub(minusOneIfNegative).add(zero);
      ((ByteVector) code.castShape(ByteVector.SPECIES_128, 0)).intoArray(codes, firstCode + i);
    }
  }
}
