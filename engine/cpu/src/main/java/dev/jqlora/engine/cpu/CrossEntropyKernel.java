package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.op.LinearCrossEntropy;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** The cross-entropy of rows of logits, F32 {@code [rows, width]}, and its gradient. */
final class CrossEntropyKernel {
  /** Exponentials that are summed in float32 before they join a float64 sum: vocabularies have 128,256 entries. */
  private static final int CHUNK = 4096;

  private CrossEntropyKernel() {}

  /**
   * {@code nll[row] = ln Σ exp(logits[row]) - logits[row][label]}, 0 for a row without a target, which is one whose label
   * is negative.
   *
   * @param labels I32 {@code [rows]}, below width
   * @param nll F32 {@code [rows]}
   * @param gradient whether to overwrite the logits with the gradient of Σ nll: softmax minus 1 at the label, or 0
   */
  static void lossAndGradient(Workers workers, MemorySegment logits, MemorySegment labels, int rows, int width,
      MemorySegment nll, boolean gradient) {
    workers.rows(rows, width, row -> {
      int label = FloatMemory.getInt(labels, row);
      long first = (long) row * width;
      if (label < 0) {
        FloatMemory.set(nll, row, 0f);
        if (gradient) {
          logits.asSlice(first * Float.BYTES, (long) width * Float.BYTES).fill((byte) 0);
        }
        return;
      }
      LinearCrossEntropy.checkLabel(label, width);
      long at = address(logits, first, width);
      double logSumExp = logSumExp(at, width);
      FloatMemory.set(nll, row, (float) (logSumExp - FloatMemory.get(logits, first + label)));
      if (gradient) {
        probabilities(at, width, (float) logSumExp);
        FloatMemory.set(logits, first + label, FloatMemory.get(logits, first + label) - 1f);
      }
    });
  }

  /** In place. */
  private static void probabilities(long at, int width, float logSumExp) {
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      storeAt(VectorExp.exp(loadAt(at + i * STEP).sub(logSumExp)), at + i * STEP);
    }
    if (i < width) {
      VectorMask<Float> tail = FloatMemory.tail(width - i);
      storeAt(VectorExp.exp(loadAt(at + i * STEP, tail).sub(logSumExp)), at + i * STEP, tail);
    }
  }

  private static double logSumExp(long at, int width) {
    float max = max(at, width);
    double sum = 0;
    for (int chunk = 0; chunk < width; chunk += CHUNK) {
      sum += sumExp(at + chunk * STEP, Math.min(CHUNK, width - chunk), max);
    }
    return max + Math.log(sum);
  }

  private static float max(long at, int width) {
    FloatVector max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i < FLOATS.loopBound(width); i += LANES) {
      max = max.max(loadAt(at + i * STEP));
    }
    if (i < width) {
      VectorMask<Float> tail = FloatMemory.tail(width - i);
      max = max.lanewise(VectorOperators.MAX, loadAt(at + i * STEP, tail), tail);
    }
    return max.reduceLanes(VectorOperators.MAX);
  }

  private static float sumExp(long at, int count, float max) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(count); i += LANES) {
      sum = sum.add(VectorExp.exp(loadAt(at + i * STEP).sub(max)));
    }
    if (i < count) {
      VectorMask<Float> tail = FloatMemory.tail(count - i);
      sum = sum.add(VectorExp.exp(loadAt(at + i * STEP, tail).sub(max)), tail);
    }
    return LaneSum.of(sum);
  }
}
