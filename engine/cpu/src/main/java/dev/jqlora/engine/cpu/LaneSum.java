package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * The sum of a vector's lanes: the upper half is added to the lower until one is left. The Vector API's own reduction
 * leaves the order open, and compiled and interpreted code do differ in it.
 */
final class LaneSum {
  private static final VectorShuffle<Float> BY_EIGHT = rotation(8);
  private static final VectorShuffle<Float> BY_FOUR = rotation(4);
  private static final VectorShuffle<Float> BY_TWO = rotation(2);
  private static final VectorShuffle<Float> BY_ONE = rotation(1);

  private LaneSum() {}

  static float of(FloatVector vector) {
    FloatVector sum = vector;
    if (LANES == 16) {
      sum = sum.add(sum.rearrange(BY_EIGHT));
    }
    if (LANES >= 8) {
      sum = sum.add(sum.rearrange(BY_FOUR));
    }
    sum = sum.add(sum.rearrange(BY_TWO));
    return sum.add(sum.rearrange(BY_ONE)).lane(0);
  }

  /**
   * The sums of {@code count} vectors that lie one behind another. Where a loop has many sums, the compiler may not take their
   * reduction in, and would make an object of each vector for the call.
   */
  static void of(float[] lanes, int count, float[] sums, int first) {
    for (int i = 0; i < count; i++) {
      sums[first + i] = of(FloatVector.fromArray(FLOATS, lanes, i * LANES));
    }
  }

  private static VectorShuffle<Float> rotation(int lanes) {
    return VectorShuffle.iota(FLOATS, lanes % LANES, 1, true);
  }
}
