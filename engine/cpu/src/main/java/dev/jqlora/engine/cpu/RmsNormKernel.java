package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** Root-mean-square normalization of the rows of x {@code [rows, width]} and its gradients; all F32. */
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
        store(load(x, first + i).mul(inverse).mul(load(weight, i)), y, first + i);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        store(load(x, first + i, tail).mul(inverse).mul(load(weight, i, tail)), y, first + i, tail);
      }
    });
  }

  /** With r = 1 / √(mean(x²) + epsilon) and g = dy · weight: {@code dx = r · (g - x · r² · mean(g · x))}; dx may be dy. */
  static void inputGradient(Workers workers, MemorySegment x, MemorySegment weight, MemorySegment dy, int rows,
      int width, float epsilon, MemorySegment dx) {
    workers.rows(rows, width, row -> {
      long first = (long) row * width;
      float inverse = inverseRms(x, first, width, epsilon);
      float mean = weightedDot(x, weight, dy, first, width) / width;
      FloatVector factor = FloatVector.broadcast(FLOATS, -mean * inverse * inverse);
      int i = 0;
      for (; i < FLOATS.loopBound(width); i += LANES) {
        FloatVector g = load(dy, first + i).mul(load(weight, i));
        store(load(x, first + i).fma(factor, g).mul(inverse), dx, first + i);
      }
      if (i < width) {
        VectorMask<Float> tail = FloatMemory.tail(width - i);
        FloatVector g = load(dy, first + i, tail).mul(load(weight, i, tail));
        store(load(x, first + i, tail).fma(factor, g).mul(inverse), dx, first + i, tail);
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
      load(dy, at + i).mul(inverse).fma(load(x, at + i), sum).intoArray(sums, i);
    }
    if (i < count) {
      VectorMask<Float> tail = FloatMemory.tail(count - i);
      FloatVector sum = FloatVector.fromArray(FLOATS, sums, i);
      load(dy, at + i, tail).mul(inverse).fma(load(x, at + i, tail), sum).intoArray(sums, i);
    }
  }

  private static float inverseRms(MemorySegment x, long first, int width, float epsilon) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      FloatVector value = load(x, first + i);
      sum = value.fma(value, sum);
    }
    if (i < width) {
      FloatVector value = load(x, first + i, FloatMemory.tail(width - i));
      sum = value.fma(value, sum);
    }
    return (float) (1 / Math.sqrt(LaneSum.of(sum) / width + epsilon));
  }

  private static float weightedDot(MemorySegment x, MemorySegment weight, MemorySegment dy, long first, int width) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      sum = load(dy, first + i).mul(load(weight, i)).fma(load(x, first + i), sum);
    }
    if (i < width) {
      VectorMask<Float> tail = FloatMemory.tail(width - i);
      sum = load(dy, first + i, tail).mul(load(weight, i, tail)).fma(load(x, first + i, tail), sum);
    }
    return LaneSum.of(sum);
  }
}
