package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The gated activation of Llama's feed-forward layer and its gradient, element by element; all F32. The gradient is made in
 * pieces that stay in the first cache and two passes, the sigmoids of the gates first: one pass is more than the compiler
 * takes into one method, and vectors that pass between methods go through memory, which took twice the time.
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
        FloatVector g = load(gate, i);
        store(g.mul(sigmoid(g)).mul(load(up, i)), y, i);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        FloatVector g = load(gate, i, tail);
        store(g.mul(sigmoid(g)).mul(load(up, i, tail)), y, i, tail);
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
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      FloatVector g = load(gate, at + i);
      FloatVector u = load(up, at + i);
      FloatVector d = load(dy, at + i);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      store(d.mul(u).mul(slope(g, s)), dgate, at + i);
      store(d.mul(g.mul(s)), dup, at + i);
    }
    if (i < size) {
      VectorMask<Float> tail = FloatMemory.tail(size - i);
      FloatVector g = load(gate, at + i, tail);
      FloatVector u = load(up, at + i, tail);
      FloatVector d = load(dy, at + i, tail);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      store(d.mul(u).mul(slope(g, s)), dgate, at + i, tail);
      store(d.mul(g.mul(s)), dup, at + i, tail);
    }
  }

  /** 1 / (1 + exp(-gate)) of {@code size} elements, and of zeros up to a whole vector; 0 where the exponential overflows. */
  private static void sigmoids(MemorySegment gate, long at, int size, float[] s) {
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      sigmoid(load(gate, at + i)).intoArray(s, i);
    }
    if (i < size) {
      sigmoid(load(gate, at + i, FloatMemory.tail(size - i))).intoArray(s, i);
    }
  }

  private static FloatVector sigmoid(FloatVector x) {
    return FloatVector.broadcast(FLOATS, 1f).div(VectorExp.exp(x.neg()).add(1f));
  }

  private static FloatVector slope(FloatVector gate, FloatVector s) {
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    return s.mul(gate.fma(one.sub(s), one));
  }
}
