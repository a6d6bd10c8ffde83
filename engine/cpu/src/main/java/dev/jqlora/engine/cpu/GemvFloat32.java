package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** {@link Gemv} with a weight in F32, four streams at a time. */
record GemvFloat32(MemorySegment weight, float[] x) implements Gemv.Form, Gemv.Rows {
  @Override
  public Gemv.Rows rows(int most) {
    return this;
  }

  @Override
  public void multiply(int first, int distance, float[] sums) {
    for (int i = 0; i < sums.length; i += 4) {
      fourRows(first + i * distance, distance, sums, i);
    }
  }

  private void fourRows(int first, int distance, float[] sums, int firstSum) {
    long at = (long) first * x.length;
    long stride = (long) distance * x.length;
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    FloatVector sum2 = sum0;
    FloatVector sum3 = sum0;
    int i = 0;
    for (; i < FLOATS.loopBound(x.length); i += LANES) {
      FloatVector numbers = FloatVector.fromArray(FLOATS, x, i);
      sum0 = load(weight, at + i).fma(numbers, sum0);
      sum1 = load(weight, at + stride + i).fma(numbers, sum1);
      sum2 = load(weight, at + 2 * stride + i).fma(numbers, sum2);
      sum3 = load(weight, at + 3 * stride + i).fma(numbers, sum3);
    }
    if (i < x.length) {
      VectorMask<Float> tail = FloatMemory.tail(x.length - i);
      FloatVector numbers = FloatVector.fromArray(FLOATS, x, i, tail);
      sum0 = load(weight, at + i, tail).fma(numbers, sum0);
      sum1 = load(weight, at + stride + i, tail).fma(numbers, sum1);
      sum2 = load(weight, at + 2 * stride + i, tail).fma(numbers, sum2);
      sum3 = load(weight, at + 3 * stride + i, tail).fma(numbers, sum3);
    }
    sums[firstSum] = LaneSum.of(sum0);
    sums[firstSum + 1] = LaneSum.of(sum1);
    sums[firstSum + 2] = LaneSum.of(sum2);
    sums[firstSum + 3] = LaneSum.of(sum3);
  }
}
