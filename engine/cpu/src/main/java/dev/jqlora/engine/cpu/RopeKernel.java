package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
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
      long cosAt = address(cos, angle, half);
      long sinAt = address(sin, angle, half);
      long first = (long) row * heads * headDim;
      long xRowAt = address(x, first, heads * headDim);
      long yRowAt = address(y, first, heads * headDim);
      for (int head = 0; head < heads; head++) {
        long xAt = xRowAt + head * headDim * STEP;
        long x2At = xAt + half * STEP;
        long yAt = yRowAt + head * headDim * STEP;
        long y2At = yAt + half * STEP;
        int i = 0;
        for (; i < FLOATS.loopBound(half); i += LANES) {
          FloatVector c = loadAt(cosAt + i * STEP);
          FloatVector s = loadAt(sinAt + i * STEP).mul(sign);
          FloatVector x1 = loadAt(xAt + i * STEP);
          FloatVector x2 = loadAt(x2At + i * STEP);
          storeAt(x1.mul(c).sub(x2.mul(s)), yAt + i * STEP);
          storeAt(x2.mul(c).add(x1.mul(s)), y2At + i * STEP);
        }
        if (i < half) {
          VectorMask<Float> tail = FloatMemory.tail(half - i);
          FloatVector c = loadAt(cosAt + i * STEP, tail);
          FloatVector s = loadAt(sinAt + i * STEP, tail).mul(sign);
          FloatVector x1 = loadAt(xAt + i * STEP, tail);
          FloatVector x2 = loadAt(x2At + i * STEP, tail);
          storeAt(x1.mul(c).sub(x2.mul(s)), yAt + i * STEP, tail);
          storeAt(x2.mul(c).add(x1.mul(s)), y2At + i * STEP, tail);
        }
      }
    });
  }
}
