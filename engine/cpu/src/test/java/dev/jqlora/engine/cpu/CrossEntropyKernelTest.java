package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class CrossEntropyKernelTest {
  private static final int ROWS = 5;

  @Test
  void lossAndGradientFollowTheFormula() {
    for (int width : widths()) {
      float[] x = logits(width);
      int[] labels = {0, -100, width - 1, width / 2, -1};
      double[] lse = logSumExp(x, width);
      double[] expected = new double[ROWS + x.length];
      for (int row = 0; row < ROWS; row++) {
        if (labels[row] >= 0) {
          expected[row] = lse[row] - x[row * width + labels[row]];
          for (int i = 0; i < width; i++) {
            expected[ROWS + row * width + i] = Math.exp(x[row * width + i] - lse[row]) - (i == labels[row] ? 1 : 0);
          }
        }
      }
      float[] actual = Kernels.onAnyThreads(workers -> {
        Guarded nll = Guarded.output(ROWS);
        Guarded logits = Guarded.of(x);
        CrossEntropyKernel.lossAndGradient(workers, logits.data(), MemorySegment.ofArray(labels), ROWS, width,
            nll.data(),
            true);
        float[] both = new float[expected.length];
        System.arraycopy(nll.floats(), 0, both, 0, ROWS);
        System.arraycopy(logits.floats(), 0, both, ROWS, x.length);
        return both;
      });
      // Half a unit in the last place of a logarithm near 1000 is 3e-5.
      Kernels.assertClose(expected, actual, 4e-5, 1);

      float[] nllOnly = Kernels.onAnyThreads(workers -> {
        Guarded nll = Guarded.output(ROWS);
        Guarded logits = Guarded.of(x);
        CrossEntropyKernel.lossAndGradient(workers, logits.data(), MemorySegment.ofArray(labels), ROWS, width,
            nll.data(),
            false);
        assertArrayEquals(x, logits.floats());
        return nll.floats();
      });
      Kernels.assertClose(Arrays.copyOf(expected, ROWS), nllOnly, 1e-6, 10);
    }
  }

  @Test
  void aLabelBeyondTheRowIsRefused() {
    try (Workers workers = new Workers(1)) {
      Guarded logits = Guarded.of(new float[2 * 8]);
      IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class,
          () -> CrossEntropyKernel.lossAndGradient(workers, logits.data(), MemorySegment.ofArray(new int[]{8, -1}), 2,
              8, Guarded.output(2).data(), true));
      assertEquals("label 8 is not among the 8 ids", thrown.getMessage());
      assertArrayEquals(new float[2 * 8], logits.floats());
    }
  }

  private static List<Integer> widths() {
    List<Integer> widths = new ArrayList<>(Kernels.WIDTHS);
    widths.add(4097);
    widths.add(128_256);
    return widths;
  }

  /** One row stands far from zero: its exponentials would overflow without the maximum taken off. */
  private static float[] logits(int width) {
    float[] x = Guarded.normal(ROWS * width, 1);
    for (int i = 2 * width; i < 3 * width; i++) {
      x[i] = 5 * x[i] + 1000;
    }
    return x;
  }

  private static double[] logSumExp(float[] x, int width) {
    double[] result = new double[ROWS];
    for (int row = 0; row < ROWS; row++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int i = row * width; i < (row + 1) * width; i++) {
        max = Math.max(max, x[i]);
      }
      double sum = 0;
      for (int i = row * width; i < (row + 1) * width; i++) {
        sum += Math.exp(x[i] - max);
      }
      result[row] = max + Math.log(sum);
    }
    return result;
  }
}
