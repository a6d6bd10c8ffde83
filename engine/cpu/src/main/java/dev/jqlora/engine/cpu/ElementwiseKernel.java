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
 * Sums, products and linear functions of F32 memory, element by element; the result may be any of the inputs. Each has a loop of
 * its own: an operation that is handed to a common one is not known where that is compiled, and vectors become objects.
 */
final class ElementwiseKernel {
  private ElementwiseKernel() {}

  /** {@code z = x + y} */
  static void add(Workers workers, MemorySegment x, MemorySegment y, long count, MemorySegment z) {
    workers.ranges(count, (first, end) -> {
      int size = (int) (end - first);
      long xAt = address(x, first, size);
      long yAt = address(y, first, size);
      long zAt = address(z, first, size);
      int i = 0;
      for (; i < FLOATS.loopBound(size); i += LANES) {
        storeAt(loadAt(xAt + i * STEP).add(loadAt(yAt + i * STEP)), zAt + i * STEP);
      }
      if (i < size) {
        VectorMask<Float> tail = FloatMemory.tail(size - i);
        storeAt(loadAt(xAt + i * STEP, tail).add(loadAt(yAt + i * STEP, tail)), zAt + i * STEP, tail);
      }
    });
  }

  /** {@code z = x · y} */
  static void multiply(Workers workers, MemorySegment x, MemorySegment y, long count, MemorySegment z) {
    workers.ranges(count, (first, end) -> {
      int size = (int) (end - first);
      long xAt = address(x, first, size);
      long yAt = address(y, first, size);
      long zAt = address(z, first, size);
      int i = 0;
      for (; i < FLOATS.loopBound(size); i += LANES) {
        storeAt(loadAt(xAt + i * STEP).mul(loadAt(yAt + i * STEP)), zAt + i * STEP);
      }
      if (i < size) {
        VectorMask<Float> tail = FloatMemory.tail(size - i);
        storeAt(loadAt(xAt + i * STEP, tail).mul(loadAt(yAt + i * STEP, tail)), zAt + i * STEP, tail);
      }
    });
  }

  /** {@code z = factor · x + term}, rounded once. */
  static void scale(Workers workers, float factor, float term, MemorySegment x, long count, MemorySegment z) {
    FloatVector factors = FloatVector.broadcast(FLOATS, factor);
    FloatVector terms = FloatVector.broadcast(FLOATS, term);
    workers.ranges(count, (first, end) -> {
      int size = (int) (end - first);
      long xAt = address(x, first, size);
      long zAt = address(z, first, size);
      int i = 0;
      for (; i < FLOATS.loopBound(size); i += LANES) {
        storeAt(loadAt(xAt + i * STEP).fma(factors, terms), zAt + i * STEP);
      }
      if (i < size) {
        VectorMask<Float> tail = FloatMemory.tail(size - i);
        storeAt(loadAt(xAt + i * STEP, tail).fma(factors, terms), zAt + i * STEP, tail);
      }
    });
  }
}
