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
 * pieces that stay in the first cache and two passes: one pass is more than the compiler takes into one method, and vectors
 * that pass between methods go through memory, which took twice the time. The first pass does what is to compute and most of
 * the streaming, so that the core has both at once: with the sigmoids in a pass of their own, which waited for nothing but
 * the arithmetic, it took 1.2 times as long (AMD Zen 5, in turn).
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
   * may be any of the inputs, but dgate not dy.
   */
  static void gradient(Workers workers, MemorySegment gate, MemorySegment up, MemorySegment dy, long count,
      MemorySegment dgate, MemorySegment dup) {
    workers.ranges(count, (first, end) -> {
      float[] gated = new float[PIECE];
      for (long at = first; at < end; at += PIECE) {
        int size = (int) Math.min(PIECE, end - at);
        long dyAt = address(dy, at, size);
        gateGradient(address(gate, at, size), address(up, at, size), dyAt, size, gated, address(dgate, at, size));
        upGradient(dyAt, size, gated, address(dup, at, size));
      }
    });
  }

  /** Puts {@code gate · s} into {@code gated}, too, which needs room for whole vectors. */
  private static void gateGradient(long gateAt, long upAt, long dyAt, int size, float[] gated, long dgateAt) {
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      FloatVector g = loadAt(gateAt + i * STEP);
      FloatVector s = sigmoid(g);
      g.mul(s).intoArray(gated, i);
      storeAt(loadAt(dyAt + i * STEP).mul(loadAt(upAt + i * STEP)).mul(slope(g, s)), dgateAt + i * STEP);
    }
    if (i < size) {
      VectorMask<Float> tail = FloatMemory.tail(size - i);
      FloatVector g = loadAt(gateAt + i * STEP, tail);
      FloatVector s = sigmoid(g);
      g.mul(s).intoArray(gated, i);
      storeAt(loadAt(dyAt + i * STEP, tail).mul(loadAt(upAt + i * STEP, tail)).mul(slope(g, s)), dgateAt + i * STEP,
          tail);
    }
  }

  private static void upGradient(long dyAt, int size, float[] gated, long dupAt) {
    int i = 0;
    for (; i < FLOATS.loopBound(size); i += LANES) {
      storeAt(loadAt(dyAt + i * STEP).mul(FloatVector.fromArray(FLOATS, gated, i)), dupAt + i * STEP);
    }
    if (i < size) {
      VectorMask<Float> tail = FloatMemory.tail(size - i);
      storeAt(loadAt(dyAt + i * STEP, tail).mul(FloatVector.fromArray(FLOATS, gated, i)), dupAt + i * STEP, tail);
    }
  }

  /** The derivative of {@code gate · s}. */
  private static FloatVector slope(FloatVector gate, FloatVector s) {
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    return s.mul(gate.fma(one.sub(s), one));
  }

  /** {@code s = 1 / (1 + exp(-gate))}; 0 where the exponential overflows. */
  private static FloatVector sigmoid(FloatVector x) {
    return FloatVector.broadcast(FLOATS, 1f).div(VectorExp.exp(x.neg()).add(1f));
  }
}
