package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.cpu.GemmTest.Storage;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ThinGemmTest {
  /** Extents of the large matrix across the summed axis: rows and columns that are left over, several tasks. */
  private static final int[] EXTENTS = {1, 7, 8, 33, 70, 300, 1100};
  /** The summed axis: less than eight places, some left over, several cuts. */
  private static final int[] DEPTHS = {1, 5, 40, 1030, 2051};
  /** Room for any thin matrix here. */
  private static final long ROOM = 1 << 20;

  @ParameterizedTest
  @ValueSource(ints = {1, 8, 16, 17, 64})
  void aThinResultFollowsTheReference(int rank) {
    for (int rows : EXTENTS) {
      for (int depth : DEPTHS) {
        Gemm.Operand x = Storage.F32.operand(rows, depth, false, 1);
        check(x, Storage.F32.operand(depth, rank, false, 2));
        check(x, Storage.F32.operand(depth, rank, true, 3));
        check(x, Storage.BF16.operand(depth, rank, true, 4));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 8, 16, 17, 64})
  void aThinFactorFollowsTheReference(int rank) {
    for (int columns : EXTENTS) {
      for (int depth : DEPTHS) {
        Gemm.Operand thin = Storage.F32.operand(depth, rank, false, 1);
        Gemm.Operand x = Storage.F32.operand(depth, columns, false, 2);
        check(new Gemm.Operand(thin.matrix(), true), x);
        check(new Gemm.Operand(x.matrix(), true), thin);
      }
    }
  }

  private static void check(Gemm.Operand a, Gemm.Operand b) {
    assertTrue(ThinGemm.fits(a, b, ROOM));
    check(a, b, 1f, false);
    check(a, b, -0.3f, true);
  }

  private static void check(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate) {
    float[] expected = Guarded.normal(a.rows() * b.columns(), 99);
    GemmReference.multiply(a, b, alpha, accumulate, expected);
    float[] actual = Kernels.onAnyThreads(workers -> {
      Guarded c = Guarded.of(Guarded.normal(a.rows() * b.columns(), 99));
      MemorySegment scratch = Guarded.scratch(Gemm.scratchBytes(64, a.columns(), workers.threads()));
      new ThinGemm(workers).multiply(a, b, alpha, accumulate, c.data(),
          Gemm.Memory.of(ScratchParts.of(scratch), 64, a.columns(), workers.threads()));
      return c.floats();
    });
    assertArrayEquals(expected, actual,
        () -> "%d x %d x %d, %s %s".formatted(a.rows(), b.columns(), a.columns(), a.transposed(), b.transposed()));
  }

  /** What is left to packing: two large matrices, a large one that is no float32, a thin one that has no room. */
  @Test
  void otherProductsDoNotFit() {
    Gemm.Operand x = Storage.F32.operand(80, 70, false, 1);
    assertFalse(ThinGemm.fits(x, Storage.F32.operand(70, 65, false, 2), ROOM));
    assertFalse(ThinGemm.fits(Storage.BF16.operand(80, 70, false, 1), Storage.F32.operand(70, 16, false, 2), ROOM));
    assertFalse(ThinGemm.fits(Storage.F32.operand(16, 70, true, 1), Storage.BF16.operand(70, 80, false, 2), ROOM));
    assertFalse(ThinGemm.fits(Storage.F32.operand(16, 70, true, 1), Storage.F32.operand(70, 80, true, 2), ROOM));
    assertFalse(ThinGemm.fits(x, Storage.F32.operand(70, 16, false, 2), 70 * 16 - 1));
    assertTrue(ThinGemm.fits(x, Storage.F32.operand(70, 16, false, 2), 70 * 16));
  }
}
