package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** Rotary position embedding in the half-split layout: element i of a head pairs with element i + headDim / 2. */
final class RopeKernel {
  private RopeKernel() {}

  /**
   * Turns every head by the angles of its row's position.
   *
   * @param x F32 {@code [rows, heads, headDim]}; y likewise and may be x
   * @param positions I32 {@code [rows]}, each within the tables
   * @param cos F32 {@code [positions, headDim / 2]}; sin likewise
   * @param inverse turns back, which is also the gradient
   */
  static void rotate(Workers workers, MemorySegment x, MemorySegment positions, MemorySegment cos, MemorySegment sin,
      int rows, int heads, int headDim, boolean inverse, MemorySegment y) {
    int half = headDim / 2;
    float sign = inverse ? -1f : 1f;
    workers.rows(rows, heads * headDim, row -> {
      long angle = (long) FloatMemory.getInt(positions, row) * half;
      for (int i = 0; i < half; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(half - i);
        FloatVector c = load(cos, angle + i, present);
        FloatVector s = load(sin, angle + i, present).mul(sign);
        for (int head = 0; head < heads; head++) {
          long at = ((long) row * heads + head) * headDim + i;
          FloatVector x1 = load(x, at, present);
          FloatVector x2 = load(x, at + half, present);
          store(x1.mul(c).sub(x2.mul(s)), y, at, present);
          store(x2.mul(c).add(x1.mul(s)), y, at + half, present);
        }
      }
    });
  }
}
