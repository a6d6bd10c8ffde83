package dev.jqlora.engine.cpu;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GemvTest {
  private static final int[][] SIZES = {{1, 1}, {3, 5}, {4, 64}, {5, 64}, {7, 192}, {33, 70}, {130, 1030}, {301, 2048},
      {66, 4096}};

  @ParameterizedTest
  @EnumSource
  void everyFormAndSizeFollowsTheDefinition(GemmTest.Storage storage) {
    for (int[] size : SIZES) {
      int rows = size[0];
      int columns = size[1];
      MatrixSource weight = storage.operand(rows, columns, false, 1).matrix();
      float[] x = Guarded.normal(columns, 2);
      double[] expected = new double[rows];
      float[] row = new float[columns];
      for (int r = 0; r < rows; r++) {
        weight.read(r, 0, columns, row, 0);
        for (int i = 0; i < columns; i++) {
          expected[r] += (double) row[i] * x[i];
        }
      }
      float[] actual = Kernels.onAnyThreads(workers -> {
        Guarded y = Guarded.output(rows);
        Gemv.multiply(workers, weight, Guarded.of(x).data(), y.data());
        return y.floats();
      });
      // Sums of size √columns, each of a chain of columns / LANES roundings that add up like a random walk.
      double relative = 4 * Math.ulp(1f) * Math.max(1, Math.sqrt(columns / (double) VectorWidth.LANES) / 4);
      Kernels.assertClose(expected, actual, relative, Math.sqrt(columns));
    }
  }
}
