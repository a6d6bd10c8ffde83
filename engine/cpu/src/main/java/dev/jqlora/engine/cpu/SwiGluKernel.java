package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The gated activation of Llama's feed-forward layer and its gradient, element by element; all F32. The gradient is made in
 * pieces that stay in the first cache and two passes, the sigmoids of the gates first: one pass is more than the compiler
 * takes into one method, and vectors that pass between methods go through memory, which took twice the time. Memory is read
 * without helper methods: see {@link FloatMemory}.
 */
final class SwiGluKernel {
  /** Elements of a piece. */
  private static final int PIECE = 1024;

  private SwiGluKernel() {}

  /** {@code y = gate / (1 + exp(-gate)) · up}; y may be gate or up. */
  static void forward(Workers workers, MemorySegment gate, MemorySegment up, long count, MemorySegment y) {
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        FloatVector g = fromMemorySegment(FLOATS, gate, i * Float.BYTES, LITTLE_ENDIAN);
        g.mul(sigmoid(g)).mul(fromMemorySegment(FLOATS, up, i * Float.BYTES, LITTLE_ENDIAN)).intoMemorySegment(y,
            i * Float.BYTES, LITTLE_ENDIAN);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        FloatVector g = fromMemorySegment(FLOATS, gate, i * Float.BYTES, LITTLE_ENDIAN, tail);
        g.mul(sigmoid(g)).mul(fromMemorySegment(FLOATS, up, i * Float.BYTES, LITTLE_ENDIAN, tail)).intoMemorySegment(y,
            i * Float.BYTES, LITTLE_ENDIAN, tail);
      }
    });
  }

  /**
   * With s = 1 / (1 + exp(-gate)): {@code dgate = dy · up · s · (1 + gate · (1 - s))}, {@code dup = dy · gate · s}. Either
   * may be any of the inputs.
   */
  static void gradient(Workers workers, MemorySegment gate, MemorySegment up, MemorySegment dy, long count,
      MemorySegment dgate, MemorySegment dup) {
    workers.ranges(count, (first, end) -> {
      float[] s = new float[PIECE];
      for (long at = first; at < end; at += PIECE) {
        int size = (int) Math.min(PIECE, end - at);
        sigmoids(gate, at, size, s);
        gradient(gate, up, dy, at, size, s, dgate, dup);
      }
    });
  }

  private static void gradient(MemorySegment gate, MemorySegment up, MemorySegment dy, long at, int size,
      float[] sigmoids, MemorySegment dgate, MemorySegment dup) {
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      FloatVector g = fromMemorySegment(FLOATS, gate, (at + i) * Float.BYTES, LITTLE_ENDIAN);
      FloatVector u = fromMemorySegment(FLOATS, up, (at + i) * Float.BYTES, LITTLE_ENDIAN);
      FloatVector d = fromMemorySegment(FLOATS, dy, (at + i) * Float.BYTES, LITTLE_ENDIAN);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      d.mul(u).mul(s.mul(g.fma(one.sub(s), one))).intoMemorySegment(dgate, (at + i) * Float.BYTES, LITTLE_ENDIAN);
      d.mul(g.mul(s)).intoMemorySegment(dup, (at + i) * Float.BYTES, LITTLE_ENDIAN);
    }
    if (i < size) {
      VectorMask<Float> tail = FloatMemory.tail(size - i);
      FloatVector g = fromMemorySegment(FLOATS, gate, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      FloatVector u = fromMemorySegment(FLOATS, up, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      FloatVector d = fromMemorySegment(FLOATS, dy, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      d.mul(u).mul(s.mul(g.fma(one.sub(s), one))).intoMemorySegment(dgate, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      d.mul(g.mul(s)).intoMemorySegment(dup, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail);
    }
  }

  /** 1 / (1 + exp(-gate)) of {@code size} elements, and of zeros up to a whole vector; 0 where the exponential overflows. */
  private static void sigmoids(MemorySegment gate, long at, int size, float[] s) {
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      sigmoid(fromMemorySegment(FLOATS, gate, (at + i) * Float.BYTES, LITTLE_ENDIAN)).intoArray(s, i);
    }
    if (i < size) {
      sigmoid(fromMemorySegment(FLOATS, gate, (at + i) * Float.BYTES, LITTLE_ENDIAN, FloatMemory.tail(size - i)))
          .intoArray(s, i);
    }
  }

  private static FloatVector sigmoid(FloatVector x) {
    return FloatVector.broadcast(FLOATS, 1f).div(VectorExp.exp(x.neg()).add(1f));
  }
}
