package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * {@code Σ x²}. Runs of {@value #CHUNK} elements are summed in float32 lanes, runs and then tasks in float64, in order: the
 * same bits for any number of threads.
 */
final class SumOfSquaresKernel {
  private static final int CHUNK = 1024;
  private static final int CHUNKS_PER_TASK = 64;

  private SumOfSquaresKernel() {}

  static double sum(Workers workers, MemorySegment x, long count) {
    long perTask = (long) CHUNK * CHUNKS_PER_TASK;
    double[] sums = new double[Math.toIntExact(Math.ceilDiv(count, perTask))];
    workers.parallel(sums.length, task -> {
      long end = Math.min(count, (task + 1) * perTask);
      for (long first = task * perTask; first < end; first += CHUNK) {
        int size = (int) Math.min(CHUNK, end - first);
        sums[task] += sumChunk(address(x, first, size), size);
      }
    });
    double total = 0;
    for (double sum : sums) {
      total += sum;
    }
    return total;
  }

  private static float sumChunk(long at, int count) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i < FLOATS.loopBound(count); i += LANES) {
      FloatVector value = loadAt(at + i * STEP);
      sum = value.fma(value, sum);
    }
    if (i < count) {
      FloatVector value = loadAt(at + i * STEP, FloatMemory.tail(count - i));
      sum = value.fma(value, sum);
    }
    return LaneSum.of(sum);
  }
}
