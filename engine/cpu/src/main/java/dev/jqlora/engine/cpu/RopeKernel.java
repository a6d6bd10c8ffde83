package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Rotary position embedding in the half-split layout: element i of a head pairs with element i + headDim / 2. A row is read
 * from its beginning to its end, and the angles again for each head, since they stay in the first cache.
 */
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
      for (int head = 0; head < heads; head++) {
        long at = ((long) row * heads + head) * headDim;
        int i = 0;
        for (; i < FLOATS.loopBound(half); i += LANES) {
          FloatVector c = load(cos, angle + i);
          FloatVector s = load(sin, angle + i).mul(sign);
          FloatVector x1 = load(x, at + i);
          FloatVector x2 = load(x, at + half + i);
          store(x1.mul(c).sub(x2.mul(s)), y, at + i);
          store(x2.mul(c).add(x1.mul(s)), y, at + half + i);
        }
        if (i < half) {
          VectorMask<Float> tail = FloatMemory.tail(half - i);
          FloatVector c = load(cos, angle + i, tail);
          FloatVector s = load(sin, angle + i, tail).mul(sign);
          FloatVector x1 = load(x, at + i, tail);
          FloatVector x2 = load(x, at + half + i, tail);
          store(x1.mul(c).sub(x2.mul(s)), y, at + i, tail);
          store(x2.mul(c).add(x1.mul(s)), y, at + half + i, tail);
        }
      }
    });
  }
}
