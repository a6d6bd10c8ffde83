package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EmbeddingKernelTest {
  private static final int ROWS = 13;
  private static final int[] IDS = {12, 0, 5, 5, 5, 1, 12, 7, 0};

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16"})
  void rowsAreGathered(DType dtype) {
    for (int width : Kernels.WIDTHS) {
      Tensor table = Tensor.allocate(Arena.ofAuto(), new TensorType(dtype, Shape.of(ROWS, width)));
      for (int i = 0; i < ROWS * width; i++) {
        table.set(i, i * 0.37 - 5);
      }
      float[] expected = new float[IDS.length * width];
      for (int i = 0; i < expected.length; i++) {
        expected[i] = (float) table.get((long) IDS[i / width] * width + i % width);
      }
      assertArrayEquals(expected, Kernels.onAnyThreads(workers -> {
        Guarded y = Guarded.output(expected.length);
        EmbeddingKernel.gather(workers, MatrixSource.of(table), MemorySegment.ofArray(IDS), IDS.length, y.data());
        return y.floats();
      }));
    }
  }

  @Test
  void gradientsOfARowAreSummedInOrder() {
    for (int width : Kernels.WIDTHS) {
      float[] dy = Guarded.normal(IDS.length * width, 4);
      float[] expected = new float[ROWS * width];
      for (int i = 0; i < dy.length; i++) {
        expected[IDS[i / width] * width + i % width] += dy[i];
      }
      assertArrayEquals(expected, Kernels.onAnyThreads(workers -> {
        Guarded dtable = Guarded.output(ROWS * width);
        EmbeddingKernel.scatterAdd(workers, MemorySegment.ofArray(IDS), Guarded.of(dy).data(), IDS.length, ROWS, width,
            dtable.data());
        return dtable.floats();
      }));
    }
  }

  @Test
  void anIdOutsideTheTableIsRefused() {
    MemorySegment ids = MemorySegment.ofArray(new int[]{1, ROWS});
    Tensor table = Tensor.of(TensorType.f32(ROWS, 2), new float[2 * ROWS]);
    try (Workers workers = new Workers(1)) {
      assertThrows(IllegalArgumentException.class,
          () -> EmbeddingKernel.gather(workers, MatrixSource.of(table), ids, 2, Guarded.output(4).data()));
      assertThrows(IllegalArgumentException.class, () -> EmbeddingKernel.scatterAdd(workers, ids,
          Guarded.output(4).data(), 2, ROWS, 2, Guarded.output(2 * ROWS).data()));
    }
  }
}
