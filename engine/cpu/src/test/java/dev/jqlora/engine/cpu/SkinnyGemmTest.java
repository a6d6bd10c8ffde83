package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Every result is compared to the bit, as in {@link GemmTest}. */
class SkinnyGemmTest {
  /** Columns of C: whole tasks, whole vectors and neither. */
  private static final int[] COLUMNS = {16, 17, 32, 47, 70, 200};
  /** The summed axis: within a cut, a cut, and several of which the last is short. */
  private static final int[] DEPTHS = {32, 512, 1056, 4640};

  @Test
  void everySizeFollowsTheReference() {
    for (int rows = 1; rows <= SkinnyGemm.MAX_ROWS; rows++) {
      for (int columns : COLUMNS) {
        for (int depth : DEPTHS) {
          Gemm.Operand a = GemmTest.Storage.F32.operand(rows, depth, false, 1);
          Gemm.Operand b = GemmTest.Storage.BF16.operand(depth, columns, true, 2);
          check(a, b, 1f, false);
          check(a, b, -0.3f, true);
        }
      }
    }
  }

  /** Rows that {@link Gemm} multiplies with others are the same by this class. */
  @Test
  void aRowIsTheSameInAnyBatch() {
    int depth = 1568;
    int columns = 333;
    float[] rows = Guarded.normal(64 * depth, 5);
    Gemm.Operand b = GemmTest.Storage.BF16.operand(depth, columns, true, 6);
    Gemm.Operand all = rows(rows, 0, 64, depth);
    assertFalse(SkinnyGemm.fits(all, b));
    float[] expected = Kernels.onAnyThreads(workers -> multiply(workers, all, b));
    for (int count = 1; count <= SkinnyGemm.MAX_ROWS; count++) {
      int first = 60 - 7 * count;
      Gemm.Operand few = rows(rows, first, count, depth);
      assertTrue(SkinnyGemm.fits(few, b));
      assertArrayEquals(Arrays.copyOfRange(expected, first * columns, (first + count) * columns),
          Kernels.onAnyThreads(workers -> multiply(workers, few, b)), count + " rows");
    }
  }

  private static Gemm.Operand rows(float[] values, int first, int count, int depth) {
    return Gemm.Operand.plain(MatrixSource.of(Tensor.of(TensorType.f32(count, depth),
        Arrays.copyOfRange(values, first * depth, (first + count) * depth))));
  }

  private static void check(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate) {
    assertTrue(SkinnyGemm.fits(a, b));
    float[] expected = Guarded.normal(a.rows() * b.columns(), 99);
    Guarded c = Guarded.of(expected);
    GemmReference.multiply(a, b, alpha, accumulate, expected);
    try (Workers workers = new Workers(2)) {
      new SkinnyGemm(workers).multiply(a, b, alpha, accumulate, c.data());
    }
    assertArrayEquals(expected, c.floats(), () -> "%d x %d x %d".formatted(a.rows(), b.columns(), a.columns()));
  }

  private static float[] multiply(Workers workers, Gemm.Operand a, Gemm.Operand b) {
    Guarded c = Guarded.output(a.rows() * b.columns());
    new Gemm(workers).multiply(a, b, 1f, false, c.data(),
        Guarded.scratch(Gemm.scratchBytes(a.rows(), a.columns(), workers.threads())));
    return c.floats();
  }
}
