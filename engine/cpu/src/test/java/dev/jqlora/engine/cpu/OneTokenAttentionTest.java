package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class OneTokenAttentionTest {
  /** The token sees {@code count} of the keys. */
  record Case(int heads, int kvHeads, int headDim, int keys, int count) {
    AttentionShape shape() {
      return new AttentionShape(heads, kvHeads, headDim);
    }
  }

  static Stream<Case> cases() {
    return Stream.of(new Case(1, 1, 64, 1, 1), new Case(2, 1, 64, 40, 31), new Case(4, 4, 128, 32, 32),
        new Case(8, 2, 64, 70, 33), new Case(3, 1, 192, 100, 96), new Case(32, 8, 128, 150, 149));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputFollowsTheDefinition(Case c) {
    check(c, 1);
  }

  @Test
  void largeScoresDoNotOverflow() {
    check(new Case(4, 2, 64, 150, 120), 60);
  }

  /** Keys and queries are {@code factor} times as large as usual. */
  private static void check(Case c, float factor) {
    float[] q = scaled(Guarded.normal(c.heads * c.headDim, 1), factor);
    float[] k = scaled(Guarded.normal(c.keys * c.kvHeads * c.headDim, 2), factor);
    float[] v = Guarded.normal(k.length, 3);
    AttentionShape.Visible visible = new AttentionShape.Visible(new int[1], new int[]{c.count - 1});
    double[] expected = Arrays.copyOf(new AttentionReference(c.shape(), q, k, v, 1, visible).forward(), q.length);
    // A score of some 10,000 carries half a unit in the last place of 5e-4.
    Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> forward(workers, c, q, k, v)),
        factor == 1 ? 2e-6 : 5e-3, 1);
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  private static float[] forward(Workers workers, Case c, float[] q, float[] k, float[] v) {
    Guarded out = Guarded.output(q.length);
    OneTokenAttention.forward(workers, c.shape(), Guarded.of(q).data(), Guarded.of(k).data(), Guarded.of(v).data(),
        c.count, out.data());
    return out.floats();
  }

  @Test
  void headsThatAreNoWholePartsAreLeftToTheOtherKernel() {
    assertFalse(OneTokenAttention.fits(new AttentionShape(2, 1, 8)));
    assertFalse(OneTokenAttention.fits(new AttentionShape(2, 1, 8 + 4 * VectorWidth.LANES)));
  }
}
