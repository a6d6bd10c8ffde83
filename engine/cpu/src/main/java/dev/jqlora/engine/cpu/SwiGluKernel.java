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
      int size = (int) (end - first);
      long gateAt = address(gate, first, size);
      long upAt = address(up, first, size);
      long yAt = address(y, first, size);
      int i = 0;
      for (; i < FLOATS.loopBound(size); i += LANES) {
        FloatVector g = loadAt(gateAt + i * STEP);
        storeAt(g.mul(sigmoid(g)).mul(loadAt(upAt + i * STEP)), yAt + i * STEP);
      }
      if (i < size) {
        VectorMask<Float> tail = FloatMemory.tail(size - i);
        FloatVector g = loadAt(gateAt + i * STEP, tail);
        storeAt(g.mul(sigmoid(g)).mul(loadAt(upAt + i * STEP, tail)), yAt + i * STEP, tail);
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
        long gateAt = address(gate, at, size);
        sigmoids(gateAt, size, s);
        gradient(gateAt, address(up, at, size), address(dy, at, size), size, s, address(dgate, at, size),
            address(dup, at, size));
      }
    });
  }

  private static void gradient(long gateAt, long upAt, long dyAt, int size, float[] sigmoids, long dgateAt,
      long dupAt) {
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      FloatVector g = loadAt(gateAt + i * STEP);
      FloatVector u = loadAt(upAt + i * STEP);
      FloatVector d = loadAt(dyAt + i * STEP);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      storeAt(d.mul(u).mul(s.mul(g.fma(one.sub(s), one))), dgateAt + i * STEP);
      storeAt(d.mul(g.mul(s)), dupAt + i * STEP);
    }
    if (i < size) {
      VectorMask<Float> tail = FloatMemory.tail(size - i);
      FloatVector g = loadAt(gateAt + i * STEP, tail);
      FloatVector u = loadAt(upAt + i * STEP, tail);
      FloatVector d = loadAt(dyAt + i * STEP, tail);
      FloatVector s = FloatVector.fromArray(FLOATS, sigmoids, i);
      storeAt(d.mul(u).mul(s.mul(g.fma(one.sub(s), one))), dgateAt + i * STEP, tail);
      storeAt(d.mul(g.mul(s)), dupAt + i * STEP, tail);
    }
  }

  /** 1 / (1 + exp(-gate)) of {@code size} elements, and of zeros up to a whole vector; 0 where the exponential overflows. */
  private static void sigmoids(long gateAt, int size, float[] s) {
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      sigmoid(loadAt(gateAt + i * STEP)).intoArray(s, i);
    }
    if (i < size) {
      sigmoid(loadAt(gateAt + i * STEP, FloatMemory.tail(size - i))).intoArray(s, i);
    }
  }

  private static FloatVector sigmoid(FloatVector x) {
    return FloatVector.broadcast(FLOATS, 1f).div(VectorExp.exp(x.neg()).add(1f));
  }
}
