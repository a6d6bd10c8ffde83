package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every result is compared to the bit: the order of sums is part of what {@link Gemm} promises. */
class GemmTest {
  private static final int[][] SIZES = {{1, 1, 1}, {1, 70, 33}, {2, 3, 5}, {3, 47, 64}, {7, 48, 513}, {8, 49, 16},
      {9, 16, 1024}, {17, 15, 31}, {33, 97, 129}, {130, 65, 515}, {64, 200, 1}, {5, 4, 1100},
      {300, 50, 600}, {3, 5, 4200}, {19, 300, 515}};

  /** Ways to store an operand of the given extents. */
  enum Storage {
    F32((values, shape) -> stored(values, new TensorType(DType.F32, shape))), BF16(
        (values, shape) -> stored(values, new TensorType(DType.BF16, shape))), F16(
            (values, shape) -> stored(values, new TensorType(DType.F16, shape))), NF4(
                (values, shape) -> MatrixSource.of(quantized(values, shape))), NF4_DOUBLE((values, shape) -> {
                  Nf4Tensor plain = quantized(values, shape);
                  Absmax nested = DoubleQuantization.quantize(plain.absmax(), Arena.ofAuto());
                  return MatrixSource.of(new Nf4Tensor(shape, plain.blockSize(), plain.codes(), nested));
                });

    private final BiFunction<float[], Shape, MatrixSource> store;

    Storage(BiFunction<float[], Shape, MatrixSource> store) {
      this.store = store;
    }

    /** An operand of the given extents after its transposition, if any. */
    Gemm.Operand operand(int rows, int columns, boolean transposed, long seed) {
      Shape shape = transposed ? Shape.of(columns, rows) : Shape.of(rows, columns);
      return new Gemm.Operand(store.apply(Guarded.normal(rows * columns, seed), shape), transposed);
    }

    private static MatrixSource stored(float[] values, TensorType type) {
      Tensor tensor = Tensor.allocate(Arena.ofAuto(), type);
      for (int i = 0; i < values.length; i++) {
        tensor.set(i, values[i]);
      }
      return MatrixSource.of(tensor);
    }

    private static Nf4Tensor quantized(float[] values, Shape shape) {
      return Nf4.quantize(Tensor.of(new TensorType(DType.F32, shape), values), 64, Arena.ofAuto()).weight();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everySizeAndOrientationFollowsTheReference(Storage storage) {
    try (Workers workers = new Workers(2)) {
      Gemm gemm = new Gemm(workers);
      for (int[] size : SIZES) {
        for (int orientation = 0; orientation < 4; orientation++) {
          Gemm.Operand a = Storage.F32.operand(size[0], size[2], (orientation & 2) != 0, 1);
          Gemm.Operand b = storage.operand(size[2], size[1], (orientation & 1) != 0, 2);
          check(gemm, a, b, 1f, false);
          check(gemm, a, b, -0.3f, true);
        }
      }
    }
  }

  /** Of 1,023 targets, head and loss of a vocabulary of 128,256 take 512 at a time and 511 at last. */
  @ParameterizedTest
  @ValueSource(ints = {1, 512, 513, 4096, 14336, 128_256})
  void fewerRowsNeedNoMoreScratch(int depth) {
    for (int rows = 1; rows < 1100; rows++) {
      long bytes = Gemm.scratchBytes(rows, depth, 2);
      assertTrue(bytes <= Gemm.scratchBytes(rows + 1, depth, 2), rows + " rows");
      assertTrue(bytes <= Gemm.scratchBytes(rows, depth + 1, 2), rows + " rows");
    }
  }

  @Test
  void theThreadCountChangesNothing() {
    Gemm.Operand a = Storage.F32.operand(75, 700, false, 3);
    Gemm.Operand b = Storage.NF4.operand(700, 530, true, 4);
    float[] expected = multiply(1, a, b);
    for (int threads = 2; threads <= 3; threads++) {
      assertArrayEquals(expected, multiply(threads, a, b));
    }
  }

  @Test
  void aRowIsTheSameInAnyBatch() {
    float[] rows = Guarded.normal(37 * 1030, 5);
    Gemm.Operand b = Storage.BF16.operand(1030, 111, true, 6);
    float[] all = multiply(2, Gemm.Operand.plain(MatrixSource.of(Tensor.of(TensorType.f32(37, 1030), rows))), b);
    for (int row : new int[]{0, 1, 7, 8, 20, 36}) {
      Tensor one = Tensor.of(TensorType.f32(1, 1030), Arrays.copyOfRange(rows, row * 1030, (row + 1) * 1030));
      assertArrayEquals(Arrays.copyOfRange(all, row * 111, (row + 1) * 111),
          multiply(2, Gemm.Operand.plain(MatrixSource.of(one)), b));
    }
  }

  @Test
  void fewColumnsTakeOneCutAtATime() {
    Gemm.Operand a = Storage.F32.operand(300, 5000, false, 7);
    Gemm.Operand b = Storage.F32.operand(5000, 70, false, 8);
    try (Workers workers = new Workers(2)) {
      Gemm gemm = new Gemm(workers);
      check(gemm, a, b, 0.5f, false);
      check(gemm, a, b, 0.5f, true);
    }
  }

  @Test
  void moreRowsThanArePackedAtATime() {
    float[] rows = Guarded.normal(1100 * 5000, 7);
    Gemm.Operand b = Storage.F32.operand(5000, 800, false, 8);
    float[] all = multiply(1, Gemm.Operand.plain(MatrixSource.of(Tensor.of(TensorType.f32(1100, 5000), rows))), b);
    for (int row : new int[]{0, 1023, 1024, 1099}) {
      Tensor one = Tensor.of(TensorType.f32(1, 5000), Arrays.copyOfRange(rows, row * 5000, (row + 1) * 5000));
      float[] expected = new float[800];
      GemmReference.multiply(Gemm.Operand.plain(MatrixSource.of(one)), b, 1f, false, expected);
      assertArrayEquals(expected, Arrays.copyOfRange(all, row * 800, (row + 1) * 800));
    }
  }

  @Test
  void rowsOfThePretrainedFeedForwardSize() {
    Gemm.Operand a = Storage.F32.operand(2, 14336, false, 9);
    Gemm.Operand b = Storage.NF4_DOUBLE.operand(14336, 20, true, 10);
    try (Workers workers = new Workers(2)) {
      check(new Gemm(workers), a, b, 1f, false);
    }
  }

  @Test
  void anEmptySumIsZeroOrNothing() {
    try (Workers workers = new Workers(2)) {
      Gemm gemm = new Gemm(workers);
      Gemm.Operand a = Storage.F32.operand(3, 0, false, 1);
      Gemm.Operand b = Storage.F32.operand(0, 5, true, 2);
      Guarded c = Guarded.of(Guarded.normal(15, 3));
      gemm.multiply(a, b, 1f, true, c.data(), scratch(a));
      assertArrayEquals(Guarded.normal(15, 3), c.floats());
      gemm.multiply(a, b, 1f, false, c.data(), scratch(a));
      assertArrayEquals(new float[15], c.floats());
    }
  }

  @Test
  void emptyMatricesAreLegal() {
    try (Workers workers = new Workers(2)) {
      Guarded c = Guarded.output(0);
      MemorySegment scratch = MemorySegment.NULL;
      Gemm gemm = new Gemm(workers);
      gemm.multiply(Storage.F32.operand(0, 7, false, 1), Storage.F32.operand(7, 5, false, 2), 1f, false, c.data(),
          scratch);
      gemm.multiply(Storage.F32.operand(4, 7, false, 1), Storage.F32.operand(7, 0, true, 2), 1f, false, c.data(),
          scratch);
      assertEquals(0, c.floats().length);
    }
  }

  @Test
  void extentsThatDoNotFitAreRefused() {
    try (Workers workers = new Workers(1)) {
      Gemm gemm = new Gemm(workers);
      Gemm.Operand a = Storage.F32.operand(2, 3, false, 1);
      assertThrows(IllegalArgumentException.class,
          () -> gemm.multiply(a, Storage.F32.operand(4, 2, false, 1), 1f, false, Guarded.output(4).data(), scratch(a)));
      assertThrows(IllegalArgumentException.class,
          () -> gemm.multiply(a, Storage.F32.operand(3, 2, false, 1), 1f, false, Guarded.output(5).data(), scratch(a)));
    }
  }

  private static MemorySegment scratch(Gemm.Operand a) {
    return Guarded.scratch(Gemm.scratchBytes(a.rows(), a.columns(), 3));
  }

  private static void check(Gemm gemm, Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate) {
    float[] expected = Guarded.normal(a.rows() * b.columns(), 99);
    Guarded c = Guarded.of(expected);
    GemmReference.multiply(a, b, alpha, accumulate, expected);
    gemm.multiply(a, b, alpha, accumulate, c.data(), scratch(a));
    assertArrayEquals(expected, c.floats(),
        () -> "%d x %d x %d, %s %s".formatted(a.rows(), b.columns(), a.columns(), a.transposed(), b.transposed()));
  }

  private static float[] multiply(int threads, Gemm.Operand a, Gemm.Operand b) {
    Guarded c = Guarded.output(a.rows() * b.columns());
    try (Workers workers = new Workers(threads)) {
      new Gemm(workers).multiply(a, b, 1f, false, c.data(), scratch(a));
    }
    return c.floats();
  }
}
