package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link Gemv} with a weight in BF16, whose bits are the upper half of a float's: of an int that holds two neighbours the
 * odd one is what a mask leaves, the even one what a shift brings up. x is laid out to match. Four streams at a time: a
 * cache line costs few instructions here.
 */
record GemvBfloat16(MemorySegment weight, float[] x) implements Gemv.Form {
  /** Streams that are read at a time. */
  private static final int STREAMS = 4;
  private static final int CHUNK = 2 * LANES;
  private static final int UPPER_HALF = 0xffff0000;

  /** Lays out, per chunk, the even elements and then the odd ones. */
  GemvBfloat16 {
    float[] values = x;
    x = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      x[i / CHUNK * CHUNK + i % 2 * LANES + i % CHUNK / 2] = values[i];
    }
  }

  /** Whether rows are whole vectors of pairs. */
  static boolean fits(float[] x) {
    return x.length % CHUNK == 0;
  }

  @Override
  public Gemv.Rows rows(int most) {
    float[] lanes = new float[STREAMS * LANES];
    return (first, distance, sums) -> {
      for (int i = 0; i < sums.length; i += STREAMS) {
        fourRows(first + i * distance, distance, lanes);
        LaneSum.of(lanes, STREAMS, sums, i);
      }
    };
  }

  /** Puts the lanes of each row's sum into {@code lanes}. */
  private void fourRows(int first, int distance, float[] lanes) {
    long at = (long) first * x.length * Short.BYTES;
    long stride = (long) distance * x.length * Short.BYTES;
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    FloatVector sum2 = sum0;
    FloatVector sum3 = sum0;
    for (int i = 0; i < x.length; i += CHUNK) {
      long begin = at + (long) i * Short.BYTES;
      FloatVector even = FloatVector.fromArray(FLOATS, x, i);
      FloatVector odd = FloatVector.fromArray(FLOATS, x, i + LANES);
      IntVector pairs0 = IntVector.fromMemorySegment(INTS, weight, begin, LITTLE_ENDIAN);
      IntVector pairs1 = IntVector.fromMemorySegment(INTS, weight, begin + stride, LITTLE_ENDIAN);
      IntVector pairs2 = IntVector.fromMemorySegment(INTS, weight, begin + 2 * stride, LITTLE_ENDIAN);
      IntVector pairs3 = IntVector.fromMemorySegment(INTS, weight, begin + 3 * stride, LITTLE_ENDIAN);
      sum0 = pairs0.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats().fma(even, sum0);
      sum1 = pairs1.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats().fma(even, sum1);
      sum2 = pairs2.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats().fma(even, sum2);
      sum3 = pairs3.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats().fma(even, sum3);
      sum0 = pairs0.and(UPPER_HALF).reinterpretAsFloats().fma(odd, sum0);
      sum1 = pairs1.and(UPPER_HALF).reinterpretAsFloats().fma(odd, sum1);
      sum2 = pairs2.and(UPPER_HALF).reinterpretAsFloats().fma(odd, sum2);
      sum3 = pairs3.and(UPPER_HALF).reinterpretAsFloats().fma(odd, sum3);
    }
    sum0.intoArray(lanes, 0);
    sum1.intoArray(lanes, LANES);
    sum2.intoArray(lanes, 2 * LANES);
    sum3.intoArray(lanes, 3 * LANES);
  }
}
