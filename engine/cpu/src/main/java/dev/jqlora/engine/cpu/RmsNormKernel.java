package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Root-mean-square normalization of the rows of x {@code [rows, width]} and its gradients; all F32. Memory is read without
 * helper methods: see {@link FloatMemory}.
 */
final class RmsNormKernel {
  /** Columns of the weight's gradient that one task sums: a page of each row, since processors fetch ahead within pages. */
  private static final int COLUMNS = 1024;

  private RmsNormKernel() {}

  /** {@code y = x / √(mean(x²) + epsilon) · weight}; y may be x. */
  static void forward(Workers workers, MemorySegment x, MemorySegment weight, int rows, int width, float epsilon,
      MemorySegment y) {
    workers.rows(rows, width, row -> {
      long first = (long) row * width;
      FloatVector inverse = FloatVector.broadcast(FLOATS, inverseRms(x, first, width, epsilon));
      int i = 0;
      for (; i < FLOATS.loopBound(width); i += LANES) {
        fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN).mul(inverse)
            .mul(fromMemorySegment(FLOATS, weight, i * Float.BYTES, LITTLE_ENDIAN))
            .intoMemorySegment(y, (first + i) * Float.BYTES, LITTLE_ENDIAN);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN, tail).mul(inverse)
            .mul(fromMemorySegment(FLOATS, weight, i * Float.BYTES, LITTLE_ENDIAN, tail))
            .intoMemorySegment(y, (first + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      }
    });
  }

  /** With r = 1 / √(mean(x²) + epsilon) and g = dy · weight: {@code dx = r · (g - x · r² · mean(g · x))}; dx may be dy. */
  static void inputGradient(Workers workers, MemorySegment x, MemorySegment weight, MemorySegment dy, int rows,
      int width, float epsilon, MemorySegment dx) {
    workers.rows(rows, width, row -> {
      long first = (long) row * width;
      // Both sums in one pass, which is when the row comes from memory.
      FloatVector squares = FloatVector.zero(FLOATS);
      FloatVector products = FloatVector.zero(FLOATS);
      int j = 0;
      for (; j < FLOATS.loopBound(width); j += LANES) {
        FloatVector value = fromMemorySegment(FLOATS, x, (first + j) * Float.BYTES, LITTLE_ENDIAN);
        squares = value.fma(value, squares);
        products = fromMemorySegment(FLOATS, dy, (first + j) * Float.BYTES, LITTLE_ENDIAN)
            .mul(fromMemorySegment(FLOATS, weight, j * Float.BYTES, LITTLE_ENDIAN)).fma(value, products);
      }
      if (j < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - j);
        FloatVector value = fromMemorySegment(FLOATS, x, (first + j) * Float.BYTES, LITTLE_ENDIAN, tail);
        squares = value.fma(value, squares);
        products = fromMemorySegment(FLOATS, dy, (first + j) * Float.BYTES, LITTLE_ENDIAN, tail)
            .mul(fromMemorySegment(FLOATS, weight, j * Float.BYTES, LITTLE_ENDIAN, tail)).fma(value, products);
      }
      float inverse = inverse(squares, width, epsilon);
      float mean = LaneSum.of(products) / width;
      FloatVector factor = FloatVector.broadcast(FLOATS, -mean * inverse * inverse);
      int i = 0;
      for (; i < FLOATS.loopBound(width); i += LANES) {
        FloatVector g = fromMemorySegment(FLOATS, dy, (first + i) * Float.BYTES, LITTLE_ENDIAN)
            .mul(fromMemorySegment(FLOATS, weight, i * Float.BYTES, LITTLE_ENDIAN));
        fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN).fma(factor, g).mul(inverse)
            .intoMemorySegment(dx, (first + i) * Float.BYTES, LITTLE_ENDIAN);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        FloatVector g = fromMemorySegment(FLOATS, dy, (first + i) * Float.BYTES, LITTLE_ENDIAN, tail)
            .mul(fromMemorySegment(FLOATS, weight, i * Float.BYTES, LITTLE_ENDIAN, tail));
        fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN, tail).fma(factor, g).mul(inverse)
            .intoMemorySegment(dx, (first + i) * Float.BYTES, LITTLE_ENDIAN, tail);
      }
    });
  }

  /** {@code dweight = Σ dy · x / √(mean(x²) + epsilon)} over the rows, in their order. */
  static void weightGradient(Workers workers, MemorySegment x, MemorySegment dy, int rows, int width, float epsilon,
      MemorySegment dweight) {
    float[] inverse = new float[rows];
    workers.rows(rows, width, row -> inverse[row] = inverseRms(x, (long) row * width, width, epsilon));
    workers.parallel(Math.ceilDiv(width, COLUMNS), task -> {
      int first = task * COLUMNS;
      int count = Math.min(width - first, COLUMNS);
      float[] sums = new float[Math.ceilDiv(count, LANES) * LANES];
      for (int row = 0; row < rows; row++) {
        addRow(x, dy, (long) row * width + first, count, inverse[row], sums);
      }
      FloatMemory.write(sums, 0, dweight, first, count);
    });
  }

  private static void addRow(MemorySegment x, MemorySegment dy, long at, int count, float inverse, float[] sums) {
    int i = 0;
    for (; i < FLOATS.loopBound(count); i += LANES) {
      FloatVector sum = FloatVector.fromArray(FLOATS, sums, i);
      fromMemorySegment(FLOATS, dy, (at + i) * Float.BYTES, LITTLE_ENDIAN).mul(inverse)
          .fma(fromMemorySegment(FLOATS, x, (at + i) * Float.BYTES, LITTLE_ENDIAN), sum).intoArray(sums, i);
    }
    if (i < count) {
      VectorMask<Float> tail = FloatMemory.tail(count - i);
      FloatVector sum = FloatVector.fromArray(FLOATS, sums, i);
      fromMemorySegment(FLOATS, dy, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail).mul(inverse)
          .fma(fromMemorySegment(FLOATS, x, (at + i) * Float.BYTES, LITTLE_ENDIAN, tail), sum).intoArray(sums, i);
    }
  }

  private static float inverseRms(MemorySegment x, long first, int width, float epsilon) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      FloatVector value = fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN);
      sum = value.fma(value, sum);
    }
    if (i < width) {
      FloatVector value = fromMemorySegment(FLOATS, x, (first + i) * Float.BYTES, LITTLE_ENDIAN,
          FloatMemory.tail(width - i));
      sum = value.fma(value, sum);
    }
    return inverse(sum, width, epsilon);
  }

  private static float inverse(FloatVector squares, int width, float epsilon) {
    return (float) (1 / Math.sqrt(LaneSum.of(squares) / width + epsilon));
  }
}
