package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** Sums, products and linear functions of F32 memory, element by element; the result may be any of the inputs. */
final class ElementwiseKernel {
  private ElementwiseKernel() {}

  /** {@code z = x + y} */
  static void add(Workers workers, MemorySegment x, MemorySegment y, long count, MemorySegment z) {
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        store(load(x, i).add(load(y, i)), z, i);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        store(load(x, i, tail).add(load(y, i, tail)), z, i, tail);
      }
    });
  }

  /** {@code z = x · y} */
  static void multiply(Workers workers, MemorySegment x, MemorySegment y, long count, MemorySegment z) {
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        store(load(x, i).mul(load(y, i)), z, i);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        store(load(x, i, tail).mul(load(y, i, tail)), z, i, tail);
      }
    });
  }

  /** {@code z = factor · x + term}, rounded once. */
  static void scale(Workers workers, float factor, float term, MemorySegment x, long count, MemorySegment z) {
    FloatVector factors = FloatVector.broadcast(FLOATS, factor);
    FloatVector terms = FloatVector.broadcast(FLOATS, term);
    workers.ranges(count, (first, end) -> {
      long i = first;
      for (; i + LANES <= end; i += LANES) {
        store(load(x, i).fma(factors, terms), z, i);
      }
      if (i < end) {
        VectorMask<Float> tail = FloatMemory.tail(end - i);
        store(load(x, i, tail).fma(factors, terms), z, i, tail);
      }
    });
  }
}
