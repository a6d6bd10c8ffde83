package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
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
 * odd one is what a mask leaves, the even one what a shift brings up. x is laid out to match. A row is four sums of chunks in
 * turn, since one would wait for itself.
 */
record GemvBfloat16(MemorySegment weight, float[] x) implements Gemv.Form, Gemv.Rows {
  /** Elements of two vectors of floats, or of one of pairs. */
  private static final int CHUNK = 2 * LANES;
  private static final int CHUNK_BYTES = CHUNK * Short.BYTES;
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
  public boolean inOrder() {
    return true;
  }

  @Override
  public Gemv.Rows rows(int most) {
    return this;
  }

  @Override
  public void multiply(int first, int distance, float[] sums) {
    for (int i = 0; i < (distance == 0 ? 1 : sums.length); i++) {
      sums[i] = row(first + i * distance);
    }
  }

  private float row(int row) {
    float[] x = this.x;
    long bytes = (long) x.length * Short.BYTES;
    long at = FloatMemory.byteAddress(weight, row * bytes, bytes);
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    FloatVector sum2 = sum0;
    FloatVector sum3 = sum0;
    int i = 0;
    for (; i + 4 * CHUNK <= x.length; i += 4 * CHUNK) {
      long begin = at + (long) i * Short.BYTES;
      IntVector pairs0 = pairs(begin);
      IntVector pairs1 = pairs(begin + CHUNK_BYTES);
      IntVector pairs2 = pairs(begin + 2 * CHUNK_BYTES);
      IntVector pairs3 = pairs(begin + 3 * CHUNK_BYTES);
      sum0 = even(pairs0).fma(FloatVector.fromArray(FLOATS, x, i), sum0);
      sum1 = even(pairs1).fma(FloatVector.fromArray(FLOATS, x, i + CHUNK), sum1);
      sum2 = even(pairs2).fma(FloatVector.fromArray(FLOATS, x, i + 2 * CHUNK), sum2);
      sum3 = even(pairs3).fma(FloatVector.fromArray(FLOATS, x, i + 3 * CHUNK), sum3);
      sum0 = odd(pairs0).fma(FloatVector.fromArray(FLOATS, x, i + LANES), sum0);
      sum1 = odd(pairs1).fma(FloatVector.fromArray(FLOATS, x, i + CHUNK + LANES), sum1);
      sum2 = odd(pairs2).fma(FloatVector.fromArray(FLOATS, x, i + 2 * CHUNK + LANES), sum2);
      sum3 = odd(pairs3).fma(FloatVector.fromArray(FLOATS, x, i + 3 * CHUNK + LANES), sum3);
    }
    for (; i < x.length; i += CHUNK) {
      IntVector pairs = pairs(at + (long) i * Short.BYTES);
      sum0 = even(pairs).fma(FloatVector.fromArray(FLOATS, x, i), sum0);
      sum0 = odd(pairs).fma(FloatVector.fromArray(FLOATS, x, i + LANES), sum0);
    }
    return LaneSum.of(sum0.add(sum1).add(sum2.add(sum3)));
  }

  private static IntVector pairs(long address) {
    return IntVector.fromMemorySegment(INTS, MEMORY, address, LITTLE_ENDIAN);
  }

  private static FloatVector even(IntVector pairs) {
    return pairs.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
  }

  private static FloatVector odd(IntVector pairs) {
    return pairs.and(UPPER_HALF).reinterpretAsFloats();
  }
}
