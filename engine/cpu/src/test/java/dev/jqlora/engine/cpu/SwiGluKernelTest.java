package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SwiGluKernelTest {
  @Test
  void forwardFollowsTheFormula() {
    for (int count : Kernels.WIDTHS) {
      float[] gate = gates(count);
      float[] up = Guarded.normal(count, 2);
      double[] expected = new double[count];
      for (int i = 0; i < count; i++) {
        expected[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
      }
      float[] actual = Kernels.onAnyThreads(workers -> {
        Guarded y = Guarded.of(gate);
        SwiGluKernel.forward(workers, y.data(), Guarded.of(up).data(), count, y.data());
        return y.floats();
      });
      Kernels.assertClose(expected, actual, 1e-6, 1e-30);
    }
  }

  @Test
  void gradientFollowsTheFormula() {
    for (int count : Kernels.WIDTHS) {
      float[] gate = gates(count);
      float[] up = Guarded.normal(count, 2);
      float[] dy = Guarded.normal(count, 3);
      double[] expected = new double[2 * count];
      for (int i = 0; i < count; i++) {
        double s = 1 / (1 + Math.exp(-gate[i]));
        expected[i] = dy[i] * (double) up[i] * s * (1 + gate[i] * (1 - s));
        expected[count + i] = dy[i] * gate[i] * s;
      }
      float[] actual = Kernels.onAnyThreads(workers -> {
        Guarded dgate = Guarded.output(count);
        Guarded dup = Guarded.of(up);
        SwiGluKernel.gradient(workers, Guarded.of(gate).data(), dup.data(), Guarded.of(dy).data(), count, dgate.data(),
            dup.data());
        float[] both = new float[2 * count];
        System.arraycopy(dgate.floats(), 0, both, 0, count);
        System.arraycopy(dup.floats(), 0, both, count, count);
        return both;
      });
      Kernels.assertClose(expected, actual, 2e-6, 0.1);
    }
  }

  @Test
  void finiteInputsGiveFiniteResults() {
    float[] gate = {-3e38f, -1000f, -89f, -88f, -87.4f, 0f, 87.4f, 89f, 1000f, 3e38f};
    float[] ones = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    try (Workers workers = new Workers(1)) {
      Guarded y = Guarded.output(gate.length);
      Guarded dgate = Guarded.output(gate.length);
      Guarded dup = Guarded.output(gate.length);
      SwiGluKernel.forward(workers, Guarded.of(gate).data(), Guarded.of(ones).data(), gate.length, y.data());
      SwiGluKernel.gradient(workers, Guarded.of(gate).data(), Guarded.of(ones).data(), Guarded.of(ones).data(),
          gate.length, dgate.data(), dup.data());
      for (Guarded result : new Guarded[]{y, dgate, dup}) {
        for (float value : result.floats()) {
          assertTrue(Float.isFinite(value), () -> "not finite: " + value);
        }
      }
    }
  }

  private static float[] gates(int count) {
    float[] gate = Guarded.normal(count, 1);
    for (int i = 0; i < count; i++) {
      gate[i] *= 1 + i % 9;
    }
    return gate;
  }
}
