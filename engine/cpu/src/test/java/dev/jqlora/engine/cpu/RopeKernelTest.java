package dev.jqlora.engine.cpu;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RopeKernelTest {
  @ParameterizedTest
  @CsvSource({"1,1,2", "5,3,8", "3,2,6", "7,2,34", "40,8,128"})
  void everyHeadTurnsByItsPositionAndBack(int rows, int heads, int headDim) {
    int half = headDim / 2;
    int[] positions = new int[rows];
    for (int row = 0; row < rows; row++) {
      positions[row] = row * 7 % 11;
    }
    float[] cos = new float[11 * half];
    float[] sin = new float[11 * half];
    for (int i = 0; i < cos.length; i++) {
      double angle = (i / half) * Math.pow(10000, -(i % half) / (double) half);
      cos[i] = (float) Math.cos(angle);
      sin[i] = (float) Math.sin(angle);
    }
    float[] x = Guarded.normal(rows * heads * headDim, 1);
    double[] expected = new double[x.length];
    for (int pair = 0; pair < rows * heads * half; pair++) {
      int at = pair / half * headDim + pair % half;
      int angle = positions[pair / half / heads] * half + pair % half;
      expected[at] = (double) x[at] * cos[angle] - (double) x[at + half] * sin[angle];
      expected[at + half] = (double) x[at + half] * cos[angle] + (double) x[at] * sin[angle];
    }

    float[] turned = Kernels
        .onAnyThreads(workers -> rotate(workers, x, positions, cos, sin, rows, heads, headDim, false));
    Kernels.assertClose(expected, turned, 1e-6, 1);

    double[] original = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      original[i] = x[i];
    }
    float[] back = Kernels
        .onAnyThreads(workers -> rotate(workers, turned, positions, cos, sin, rows, heads, headDim, true));
    Kernels.assertClose(original, back, 1e-6, 1);
  }

  private static float[] rotate(Workers workers, float[] x, int[] positions, float[] cos, float[] sin, int rows,
      int heads, int headDim, boolean inverse) {
    Guarded y = Guarded.of(x);
    RopeKernel.rotate(workers, y.data(), MemorySegment.ofArray(positions), Guarded.of(cos).data(),
        Guarded.of(sin).data(), rows, heads, headDim, inverse, y.data());
    return y.floats();
  }
}
