package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** The gated activation of Llama's feed-forward layer and its gradient, element by element; all F32. */
final class SwiGluKernel {
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
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        FloatVector g = load(gate, i);
        FloatVector u = load(up, i);
        FloatVector d = load(dy, i);
        FloatVector s = sigmoid(g);
        store(d.mul(u).mul(slope(g, s)), dgate, i);
        store(d.mul(g.mul(s)), dup, i);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        FloatVector g = load(gate, i, tail);
        FloatVector u = load(up, i, tail);
        FloatVector d = load(dy, i, tail);
        FloatVector s = sigmoid(g);
        store(d.mul(u).mul(slope(g, s)), dgate, i, tail);
        store(d.mul(g.mul(s)), dup, i, tail);
      }
    });
  }

  /** 1 / (1 + exp(-x)); an exponential that overflows gives 0. */
  private static FloatVector sigmoid(FloatVector x) {
    return FloatVector.broadcast(FLOATS, 1f).div(VectorExp.exp(x.neg()).add(1f));
  }

  private static FloatVector slope(FloatVector gate, FloatVector s) {
    FloatVector one = FloatVector.broadcast(FLOATS, 1f);
    return s.mul(gate.fma(one.sub(s), one));
  }
}
