package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.tensor.Blockwise8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

class AdamWKernelTest {
  @Test
  void threeStepsFollowTheFormula() {
    for (int count : Kernels.WIDTHS) {
      float[] start = Guarded.normal(count, 1);
      double[] p = new double[count];
      Arrays.setAll(p, i -> start[i]);
      double[] m = new double[count];
      double[] v = new double[count];
      for (int step = 1; step <= 3; step++) {
        float[] gradient = Guarded.normal(count, 10 + step);
        for (int i = 0; i < count; i++) {
          double g = 0.5 * gradient[i];
          m[i] = 0.9 * m[i] + 0.1 * g;
          v[i] = 0.999 * v[i] + 0.001 * g * g;
          p[i] = p[i] * (1 - 1e-3 * 0.1)
              - 1e-3 * m[i] / (1 - Math.pow(0.9, step)) / (Math.sqrt(v[i] / (1 - Math.pow(0.999, step))) + 1e-8);
        }
      }
      double[] expected = new double[3 * count];
      System.arraycopy(p, 0, expected, 0, count);
      System.arraycopy(m, 0, expected, count, count);
      System.arraycopy(v, 0, expected, 2 * count, count);
      Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> threeSteps(workers, start)), 1e-6, 0.1);
    }
  }

  private static float[] threeSteps(Workers workers, float[] start) {
    int count = start.length;
    Guarded p = Guarded.of(start);
    Guarded m = Guarded.of(new float[count]);
    Guarded v = Guarded.of(new float[count]);
    for (int step = 1; step <= 3; step++) {
      AdamWKernel.step(workers, p.data(), Guarded.of(Guarded.normal(count, 10 + step)).data(), m.data(), v.data(),
          count,
          0.5f, BlockwiseAdamW.Coefficients.of(1e-3, 0.9, 0.999, 1e-8, 0.1, step));
    }
    float[] all = Arrays.copyOf(p.floats(), 3 * count);
    System.arraycopy(m.floats(), 0, all, count, count);
    System.arraycopy(v.floats(), 0, all, 2 * count, count);
    return all;
  }

  @Test
  void eightBitMomentsOfStackedTensorsEqualTheReferenceToTheBit() {
    for (int size : new int[]{1, 255, 256, 257, 5000, 40_001, 150_001}) {
      checkEightBit(3, size, step -> gradient(3 * size, step), 0, 1, 0);
    }
  }

  /** Of some blocks squares overflow or an element is left alone; others have gradients that are large but not too large. */
  @Test
  void gradientsWhoseSquaresOverflowEqualTheReferenceToTheBit() {
    int size = 8 * Blockwise8bit.BLOCK;
    checkEightBit(1, size, step -> {
      float[] gradient = Guarded.normal(size, 10 + step);
      if (step == 2) {
        gradient[3] = 0x1p61f;
        gradient[2 * Blockwise8bit.BLOCK + 3] = 1e30f;
        gradient[4 * Blockwise8bit.BLOCK + 5] = 1e4f;
        gradient[5 * Blockwise8bit.BLOCK + 3] = Float.NEGATIVE_INFINITY;
        gradient[6 * Blockwise8bit.BLOCK + 4] = 1e38f;
      }
      return gradient;
    }, 0, 1, 0);
  }

  private static void checkEightBit(int tensors, int size, IntFunction<float[]> gradients, int... skipped) {
    int blocks = (int) Blockwise8bit.blocks(size);
    float[] start = Guarded.normal(tensors * size, 1);
    float[] expected = new float[tensors * size];
    byte[] expectedCodes = new byte[tensors * size];
    byte[] expectedCodes2 = new byte[tensors * size];
    float[] expectedAbsmax1 = new float[tensors * blocks];
    float[] expectedAbsmax2 = new float[tensors * blocks];
    for (int tensor = 0; tensor < tensors; tensor++) {
      float[] p = Arrays.copyOfRange(start, tensor * size, (tensor + 1) * size);
      byte[] codes1 = new byte[size];
      byte[] codes2 = new byte[size];
      float[] absmax1 = new float[blocks];
      float[] absmax2 = new float[blocks];
      for (int step = 1; step <= 3; step++) {
        float[] gradient = Arrays.copyOfRange(gradients.apply(step), tensor * size, (tensor + 1) * size);
        for (int i = 0; i < size; i++) {
          gradient[i] *= 0.5f;
        }
        BlockwiseAdamW.step(p, gradient, codes1, absmax1, codes2, absmax2, BlockwiseAdamW.Maps.DEFAULT,
            BlockwiseAdamW.Coefficients.of(1e-3, 0.9, 0.999, 1e-8, 0.1, step));
      }
      System.arraycopy(p, 0, expected, tensor * size, size);
      System.arraycopy(codes1, 0, expectedCodes, tensor * size, size);
      System.arraycopy(codes2, 0, expectedCodes2, tensor * size, size);
      System.arraycopy(absmax1, 0, expectedAbsmax1, tensor * blocks, blocks);
      System.arraycopy(absmax2, 0, expectedAbsmax2, tensor * blocks, blocks);
    }
    assertArrayEquals(expected, Kernels.onAnyThreads(workers -> {
      Guarded p = Guarded.of(start);
      MemorySegment codes1 = Arena.ofAuto().allocate(tensors * size);
      MemorySegment codes2 = Arena.ofAuto().allocate(tensors * size);
      Guarded absmax1 = Guarded.of(new float[tensors * blocks]);
      Guarded absmax2 = Guarded.of(new float[tensors * blocks]);
      for (int step = 1; step <= 3; step++) {
        long leftAlone = AdamW8bitKernel.step(workers,
            new AdamW8bitKernel.State(p.data(), Guarded.of(gradients.apply(step)).data(),
                codes1, absmax1.data(), codes2, absmax2.data(), tensors, size),
            0.5f, BlockwiseAdamW.Coefficients.of(1e-3, 0.9, 0.999, 1e-8, 0.1, step));
        assertEquals(skipped[step - 1], leftAlone);
      }
      assertArrayEquals(expectedCodes, codes1.toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(expectedCodes2, codes2.toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(expectedAbsmax1, absmax1.floats());
      assertArrayEquals(expectedAbsmax2, absmax2.floats());
      return p.floats();
    }));
  }

  /** The second step's last gradient is not a number. */
  private static float[] gradient(int count, int step) {
    float[] gradient = Guarded.normal(count, 10 + step);
    if (step == 2) {
      gradient[count - 1] = Float.NaN;
    }
    return gradient;
  }
}
