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
 * Root-mean-square normalization of the rows of x {@code [rows, width]} and its gradients; all F32.
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
      long xAt = address(x, first, width);
      long weightAt = address(weight, 0, width);
      long yAt = address(y, first, width);
      FloatVector inverse = FloatVector.broadcast(FLOATS, inverseRms(xAt, width, epsilon));
      int i = 0;
      for (; i < FLOATS.loopBound(width); i += LANES) {
        storeAt(loadAt(xAt + i * STEP).mul(inverse).mul(loadAt(weightAt + i * STEP)), yAt + i * STEP);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        storeAt(loadAt(xAt + i * STEP, tail).mul(inverse).mul(loadAt(weightAt + i * STEP, tail)), yAt + i * STEP, tail);
      }
    });
  }

  /** With r = 1 / √(mean(x²) + epsilon) and g = dy · weight: {@code dx = r · (g - x · r² · mean(g · x))}; dx may be dy. */
  static void inputGradient(Workers workers, MemorySegment x, MemorySegment weight, MemorySegment dy, int rows,
      int width, float epsilon, MemorySegment dx) {
    workers.rows(rows, width, row -> {
      long first = (long) row * width;
      long xAt = address(x, first, width);
      long weightAt = address(weight, 0, width);
      long dyAt = address(dy, first, width);
      long dxAt = address(dx, first, width);
      // Both sums in one pass, which is when the row comes from memory.
      FloatVector squares = FloatVector.zero(FLOATS);
      FloatVector products = FloatVector.zero(FLOATS);
      int j = 0;
      for (; j < FLOATS.loopBound(width); j += LANES) {
        FloatVector value = loadAt(xAt + j * STEP);
        squares = value.fma(value, squares);
        products = loadAt(dyAt + j * STEP).mul(loadAt(weightAt + j * STEP)).fma(value, products);
      }
      if (j < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - j);
        FloatVector value = loadAt(xAt + j * STEP, tail);
        squares = value.fma(value, squares);
        products = loadAt(dyAt + j * STEP, tail).mul(loadAt(weightAt + j * STEP, tail)).fma(value, products);
      }
      float inverse = inverse(squares, width, epsilon);
      float mean = LaneSum.of(products) / width;
      FloatVector factor = FloatVector.broadcast(FLOATS, -mean * inverse * inverse);
      int i = 0;
      for (; i < FLOATS.loopBound(width); i += LANES) {
        FloatVector g = loadAt(dyAt + i * STEP).mul(loadAt(weightAt + i * STEP));
        storeAt(loadAt(xAt + i * STEP).fma(factor, g).mul(inverse), dxAt + i * STEP);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        FloatVector g = loadAt(dyAt + i * STEP, tail).mul(loadAt(weightAt + i * STEP, tail));
        storeAt(loadAt(xAt + i * STEP, tail).fma(factor, g).mul(inverse), dxAt + i * STEP, tail);
      }
    });
  }

  /** {@code dweight = Σ dy · x / √(mean(x²) + epsilon)} over the rows, in their order. */
  static void weightGradient(Workers workers, MemorySegment x, MemorySegment dy, int rows, int width, float epsilon,
      MemorySegment dweight) {
    float[] inverse = new float[rows];
    workers.rows(rows, width, row -> inverse[row] = inverseRms(address(x, (long) row * width, width), width, epsilon));
    workers.parallel(Math.ceilDiv(width, COLUMNS), task -> {
      int first = task * COLUMNS;
      int count = Math.min(width - first, COLUMNS);
      float[] sums = new float[Math.ceilDiv(count, LANES) * LANES];
      for (int row = 0; row < rows; row++) {
        long at = (long) row * width + first;
        addRow(address(x, at, count), address(dy, at, count), count, inverse[row], sums);
      }
      FloatMemory.write(sums, 0, dweight, first, count);
    });
  }

  private static void addRow(long xAt, long dyAt, int count, float inverse, float[] sums) {
    int i = 0;
    for (; i < FLOATS.loopBound(count); i += LANES) {
      loadAt(dyAt + i * STEP).mul(inverse).fma(loadAt(xAt + i * STEP), FloatVector.fromArray(FLOATS, sums, i))
          .intoArray(sums, i);
    }
    if (i < count) {
      VectorMask<Float> tail = FloatMemory.tail(count - i);
      loadAt(dyAt + i * STEP, tail).mul(inverse)
          .fma(loadAt(xAt + i * STEP, tail), FloatVector.fromArray(FLOATS, sums, i)).intoArray(sums, i);
    }
  }

  private static float inverseRms(long xAt, int width, float epsilon) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      FloatVector value = loadAt(xAt + i * STEP);
      sum = value.fma(value, sum);
    }
    if (i < width) {
      FloatVector value = loadAt(xAt + i * STEP, FloatMemory.tail(width - i));
      sum = value.fma(value, sum);
    }
    return inverse(sum, width, epsilon);
  }

  private static float inverse(FloatVector squares, int width, float epsilon) {
    return (float) (1 / Math.sqrt(LaneSum.of(squares) / width + epsilon));
  }
}
