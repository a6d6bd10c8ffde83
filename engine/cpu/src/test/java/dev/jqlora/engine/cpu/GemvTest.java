package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GemvTest {
  private static final int[][] SIZES = {{1, 1}, {3, 5}, {4, 64}, {5, 64}, {7, 192}, {33, 70}, {130, 1030}, {301, 2048},
      {66, 4096}};

  @ParameterizedTest
  @EnumSource
  void everyFormAndSizeFollowsTheDefinition(GemmTest.Storage storage) {
    for (int[] size : SIZES) {
      check(storage.operand(size[0], size[1], false, 1).matrix(), 1f, false);
      check(storage.operand(size[0], size[1], false, 1).matrix(), -0.3f, true);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {32, 64, 128, 512, 1024})
  void everyBlockSizeFollowsTheDefinition(int blockSize) {
    TensorType type = new TensorType(DType.F32, Shape.of(35, 1024));
    Tensor weight = Tensor.of(type, Guarded.normal(35 * 1024, 1));
    check(MatrixSource.of(Nf4.quantize(weight, blockSize, Arena.ofAuto()).weight()), 1f, false);
  }

  private static void check(MatrixSource weight, float alpha, boolean accumulate) {
    int rows = weight.rows();
    int columns = weight.columns();
    float[] x = Guarded.normal(columns, 2);
    float[] base = Guarded.normal(rows, 3);
    double[] expected = new double[rows];
    MemorySegment row = Arena.ofAuto().allocate((long) columns * Float.BYTES, Float.BYTES);
    for (int r = 0; r < rows; r++) {
      weight.read(r, 0, columns, row, 0);
      for (int i = 0; i < columns; i++) {
        expected[r] += (double) FloatMemory.get(row, i) * x[i];
      }
      expected[r] = alpha * expected[r] + (accumulate ? base[r] : 0);
    }
    float[] actual = Kernels.onAnyThreads(workers -> {
      Guarded y = Guarded.of(base);
      Gemv.multiply(workers, weight, Guarded.of(x).data(), alpha, accumulate, y.data());
      return y.floats();
    });
    // Sums of size √columns, each of a chain of columns / LANES roundings that add up like a random walk.
    double relative = 4 * Math.ulp(1f) * Math.max(1, Math.sqrt(columns / (double) VectorWidth.LANES) / 4);
    Kernels.assertClose(expected, actual, relative, Math.sqrt(columns));
  }
}
