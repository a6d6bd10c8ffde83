package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ElementwiseKernelTest {
  private static final int[] COUNTS = {0, 1, 3, 15, 16, 17, 1000, 50_001};

  @Test
  void everyFunctionIsRoundedOnce() {
    for (int count : COUNTS) {
      float[] x = Guarded.normal(count, 1);
      float[] y = Guarded.normal(count, 2);
      float[] sum = new float[count];
      float[] product = new float[count];
      float[] linear = new float[count];
      for (int i = 0; i < count; i++) {
        sum[i] = x[i] + y[i];
        product[i] = x[i] * y[i];
        linear[i] = Math.fma(x[i], 1.7f, 0.1f);
      }
      assertArrayEquals(sum, inPlace(x, (workers, z) -> ElementwiseKernel.add(workers, z.data(), Guarded.of(y).data(),
          count, z.data())));
      assertArrayEquals(product, inPlace(x, (workers, z) -> ElementwiseKernel.multiply(workers, z.data(),
          Guarded.of(y).data(), count, z.data())));
      assertArrayEquals(linear,
          inPlace(x, (workers, z) -> ElementwiseKernel.scale(workers, 1.7f, 0.1f, z.data(), count, z.data())));
    }
  }

  @Test
  void sumOfSquaresIsExactToFloatPrecision() {
    for (int count : new int[]{0, 1, 15, 16, 17, 1023, 1025, 65_537, 1_000_003}) {
      float[] x = Guarded.normal(count, 3);
      double expected = 0;
      for (float value : x) {
        expected += (double) value * value;
      }
      double tolerance = 1e-6 * expected;
      float[] actual = Kernels
          .onAnyThreads(workers -> new float[]{(float) SumOfSquaresKernel.sum(workers, Guarded.of(x).data(), count)});
      assertEquals(expected, actual[0], tolerance);
    }
  }

  private interface Kernel {
    void run(Workers workers, Guarded z);
  }

  private static float[] inPlace(float[] x, Kernel kernel) {
    return Kernels.onAnyThreads(workers -> {
      Guarded z = Guarded.of(x);
      kernel.run(workers, z);
      return z.floats();
    });
  }
}
