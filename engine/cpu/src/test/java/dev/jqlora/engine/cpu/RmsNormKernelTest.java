package dev.jqlora.engine.cpu;

import java.util.List;
import org.junit.jupiter.api.Test;

class RmsNormKernelTest {
  private static final float EPSILON = 1e-5f;
  private static final List<Integer> ROWS = List.of(1, 2, 33);

  @Test
  void forwardFollowsTheFormula() {
    for (int rows : ROWS) {
      for (int width : Kernels.WIDTHS) {
        Inputs in = new Inputs(rows, width);
        double[] expected = new double[rows * width];
        for (int row = 0; row < rows; row++) {
          double r = in.inverseRms(row);
          for (int i = row * width; i < (row + 1) * width; i++) {
            expected[i] = in.x[i] * r * in.weight[i % width];
          }
        }
        float[] actual = Kernels.onAnyThreads(workers -> {
          Guarded y = Guarded.of(in.x);
          RmsNormKernel.forward(workers, y.data(), Guarded.of(in.weight).data(), rows, width, EPSILON, y.data());
          return y.floats();
        });
        Kernels.assertClose(expected, actual, 2e-6, 1e-3);
      }
    }
  }

  @Test
  void inputGradientFollowsTheFormula() {
    for (int rows : ROWS) {
      for (int width : Kernels.WIDTHS) {
        Inputs in = new Inputs(rows, width);
        double[] expected = new double[rows * width];
        for (int row = 0; row < rows; row++) {
          double r = in.inverseRms(row);
          double mean = 0;
          for (int i = row * width; i < (row + 1) * width; i++) {
            mean += (double) in.dy[i] * in.weight[i % width] * in.x[i] / width;
          }
          for (int i = row * width; i < (row + 1) * width; i++) {
            expected[i] = r * ((double) in.dy[i] * in.weight[i % width] - in.x[i] * r * r * mean);
          }
        }
        float[] actual = Kernels.onAnyThreads(workers -> {
          Guarded dx = Guarded.of(in.dy);
          RmsNormKernel.inputGradient(workers, Guarded.of(in.x).data(), Guarded.of(in.weight).data(), dx.data(), rows,
              width, EPSILON, dx.data());
          return dx.floats();
        });
        Kernels.assertClose(expected, actual, 5e-6, 0.3);
      }
    }
  }

  @Test
  void weightGradientFollowsTheFormula() {
    for (int rows : ROWS) {
      for (int width : Kernels.WIDTHS) {
        Inputs in = new Inputs(rows, width);
        double[] expected = new double[width];
        for (int i = 0; i < rows * width; i++) {
          expected[i % width] += in.dy[i] * in.x[i] * in.inverseRms(i / width);
        }
        float[] actual = Kernels.onAnyThreads(workers -> {
          Guarded dweight = Guarded.output(width);
          RmsNormKernel.weightGradient(workers, Guarded.of(in.x).data(), Guarded.of(in.dy).data(), rows, width, EPSILON,
              dweight.data());
          return dweight.floats();
        });
        Kernels.assertClose(expected, actual, 5e-6, 3);
      }
    }
  }

  private static final class Inputs {
    private final int width;
    private final float[] x;
    private final float[] weight;
    private final float[] dy;
    private final double[] inverse;

    Inputs(int rows, int width) {
      this.width = width;
      x = Guarded.normal(rows * width, 1);
      weight = Guarded.normal(width, 2);
      dy = Guarded.normal(rows * width, 3);
      inverse = new double[rows];
      for (int row = 0; row < rows; row++) {
        double sum = 0;
        for (int i = row * width; i < (row + 1) * width; i++) {
          sum += (double) x[i] * x[i];
        }
        inverse[row] = 1 / Math.sqrt(sum / this.width + EPSILON);
      }
    }

    double inverseRms(int row) {
      return inverse[row];
    }
  }
}
