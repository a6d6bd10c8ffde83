package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.function.Function;

/** What the kernels' tests share. */
final class Kernels {
  /** Widths that hurt: one, odd, around a vector's, and real models'. */
  static final List<Integer> WIDTHS = List.of(1, 3, VectorWidth.LANES - 1, VectorWidth.LANES, VectorWidth.LANES + 1, 64,
      257, 4096);

  private Kernels() {}

  /** Runs a kernel with 1, 2 and 3 threads, demands the same bits of all, and returns them. */
  static float[] onAnyThreads(Function<Workers, float[]> kernel) {
    float[] first = null;
    for (int threads = 1; threads <= 3; threads++) {
      try (Workers workers = new Workers(threads)) {
        float[] result = kernel.apply(workers);
        if (first != null) {
          assertArrayEquals(first, result, "other bits with %d threads".formatted(threads));
        }
        first = result;
      }
    }
    return first == null ? new float[0] : first;
  }

  /** Each value within {@code relative} of the expected one, or of {@code floor} where that is greater. */
  static void assertClose(double[] expected, float[] actual, double relative, double floor) {
    assertEquals(expected.length, actual.length);
    for (int i = 0; i < expected.length; i++) {
      int index = i;
      assertEquals(expected[i], actual[i], relative * Math.max(Math.abs(expected[i]), floor), () -> "index " + index);
    }
  }
}
