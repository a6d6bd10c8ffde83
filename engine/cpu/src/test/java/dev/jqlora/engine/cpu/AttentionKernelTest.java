package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class AttentionKernelTest {
  /** A run of tokens; {@code sequence} is the length of the sequences that it is made of. */
  record Case(int heads, int kvHeads, int headDim, int tokens, int sequence) {
    AttentionShape shape() {
      return new AttentionShape(heads, kvHeads, headDim);
    }

    MemorySegment start() {
      int[] start = new int[tokens];
      Arrays.setAll(start, i -> i / sequence * sequence);
      return MemorySegment.ofArray(start);
    }

    AttentionShape.Visible visible() {
      return AttentionShape.Visible.causal(start(), tokens);
    }

    float[] queries(long seed) {
      return Guarded.normal(tokens * heads * headDim, seed);
    }

    float[] keys(long seed) {
      return Guarded.normal(tokens * kvHeads * headDim, seed);
    }
  }

  static Stream<Case> cases() {
    return Stream.of(new Case(1, 1, 1, 1, 1), new Case(2, 1, 5, 3, 3), new Case(8, 4, 8, 65, 65),
        new Case(8, 4, 8, 130, 17), new Case(4, 4, 16, 49, 1), new Case(3, 3, 7, 300, 300), new Case(6, 2, 10, 97, 40),
        new Case(4, 1, 128, 140, 140), new Case(32, 8, 64, 33, 33), new Case(4, 2, 24, 260, 257),
        new Case(4, 1, 72, 400, 390));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void outputFollowsTheDefinition(Case c) {
    float[] q = c.queries(1);
    float[] k = c.keys(2);
    float[] v = c.keys(3);
    double[] expected = new AttentionReference(c.shape(), q, k, v, c.tokens, c.visible()).forward();
    Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> forward(workers, c, q, k, v)), 2e-6, 1);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradientFollowsTheDefinition(Case c) {
    float[] q = c.queries(1);
    float[] k = c.keys(2);
    float[] v = c.keys(3);
    float[] dout = c.queries(4);
    double[] expected = new AttentionReference(c.shape(), q, k, v, c.tokens, c.visible()).backward(dout);
    Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> backward(workers, c, q, k, v, dout)), 1e-5, 1);
  }

  @Test
  void largeScoresDoNotOverflow() {
    Case c = new Case(2, 2, 16, 150, 150);
    float[] q = c.queries(1);
    float[] k = c.keys(2);
    for (int i = 0; i < q.length; i++) {
      q[i] *= 60;
      k[i] *= 60;
    }
    float[] v = c.keys(3);
    double[] expected = new AttentionReference(c.shape(), q, k, v, c.tokens, c.visible()).forward();
    // Scores of some 10,000 carry half a unit in the last place of 5e-4.
    Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> forward(workers, c, q, k, v)), 5e-3, 1);
  }

  @Test
  void sequencesDoNotSeeEachOther() {
    Case c = new Case(4, 2, 8, 90, 45);
    float[] q = c.queries(1);
    float[] k = c.keys(2);
    float[] v = c.keys(3);
    try (Workers workers = new Workers(2)) {
      float[] before = forward(workers, c, q, k, v);
      Arrays.fill(k, 0, k.length / 2, Float.NaN);
      Arrays.fill(v, v.length / 2, v.length, 5f);
      float[] after = forward(workers, c, q, k, v);
      int out = q.length / 2;
      for (int i = 0; i < out; i++) {
        assertArrayEquals(new float[]{Float.NaN}, new float[]{after[i]});
      }
      int lse = q.length + c.tokens * c.heads / 2;
      assertArrayEquals(Arrays.copyOfRange(before, lse, before.length), Arrays.copyOfRange(after, lse, after.length));
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 5", "37, 200", "128, 1", "200, 300"})
  void aSequenceGivesTheSameBitsWhereverItStands(int before, int length) {
    AttentionShape shape = new AttentionShape(4, 2, 24);
    int run = before + length + 3;
    int[] start = new int[run];
    Arrays.fill(start, before, before + length, before);
    Arrays.fill(start, before + length, run, before + length);
    float[] q = Guarded.normal(run * 4 * 24, 1);
    float[] k = Guarded.normal(run * 2 * 24, 2);
    float[] v = Guarded.normal(run * 2 * 24, 3);
    try (Workers workers = new Workers(2)) {
      float[] together = forward(workers, shape, q, k, v, start);
      float[] alone = forward(workers, shape, rows(q, before, length, 96), rows(k, before, length, 48),
          rows(v, before, length, 48), new int[length]);
      assertArrayEquals(rows(alone, 0, length, 96), rows(together, before, length, 96));
      assertArrayEquals(Arrays.copyOfRange(alone, length * 96, alone.length),
          Arrays.copyOfRange(together, run * 96 + before * 4, run * 96 + (before + length) * 4));
    }
  }

  private static float[] rows(float[] matrix, int first, int count, int width) {
    return Arrays.copyOfRange(matrix, first * width, (first + count) * width);
  }

  @ParameterizedTest
  @MethodSource("caches")
  void cachedQueriesSeeRowsUpToTheirPosition(int heads, int kvHeads, int headDim, int capacity, int[] positions) {
    AttentionShape shape = new AttentionShape(heads, kvHeads, headDim);
    int tokens = positions.length;
    float[] q = Guarded.normal(tokens * heads * headDim, 1);
    float[] k = Guarded.normal(capacity * kvHeads * headDim, 2);
    float[] v = Guarded.normal(capacity * kvHeads * headDim, 3);
    AttentionShape.Visible visible = AttentionShape.Visible.cached(MemorySegment.ofArray(positions), tokens);
    double[] expected = new AttentionReference(shape, q, k, v, tokens, visible).forward();
    Kernels.assertClose(expected, Kernels.onAnyThreads(workers -> {
      Guarded out = Guarded.output(q.length);
      Guarded logSumExp = Guarded.output(tokens * heads);
      new AttentionKernel(workers).forward(shape, Guarded.of(q).data(), Guarded.of(k).data(), Guarded.of(v).data(),
          tokens, capacity, visible, out.data(), logSumExp.data(),
          Guarded.scratch(AttentionKernel.scratchBytes(shape, 3)));
      return concat(out.floats(), logSumExp.floats());
    }), 2e-6, 1);
  }

  static Stream<Arguments> caches() {
    return Stream.of(Arguments.of(8, 4, 8, 16, new int[]{0}),
        Arguments.of(8, 4, 8, 300, new int[]{299}),
        Arguments.of(32, 8, 64, 200, new int[]{130}),
        Arguments.of(4, 4, 12, 150, new int[]{100, 101, 102, 103, 104, 105, 106}));
  }

  /** What an infinite value spoils beyond the queries that see it depends on which queries share a panel. */
  @ParameterizedTest
  @CsvSource({"4, 200", "1, 131", "2, 97"})
  void anInfiniteValueSpoilsTheSameQueriesOnAnyThreads(int kvHeads, int tokens) {
    Case c = new Case(4, kvHeads, 16, tokens, tokens);
    float[] q = c.queries(1);
    float[] k = c.keys(2);
    float[] v = c.keys(3);
    for (int head = 0; head < kvHeads; head++) {
      v[(60 * kvHeads + head) * 16] = Float.POSITIVE_INFINITY;
    }
    float[] out = Kernels.onAnyThreads(workers -> forward(workers, c, q, k, v));
    assertFalse(Float.isFinite(out[60 * 4 * 16]), "it is seen");
  }

  /** Whole panels of queries that see nothing, and of keys that nobody sees: what their memory held before must not show. */
  @Test
  void whatSeesNothingAndWhatNobodySeesGivesZero() {
    int blind = 101;
    int tokens = 190;
    AttentionShape shape = new AttentionShape(4, 2, 24);
    int[] first = new int[tokens];
    int[] last = new int[tokens];
    for (int i = 0; i < tokens; i++) {
      first[i] = i < blind ? 0 : blind;
      last[i] = i < blind ? -1 : i;
    }
    AttentionShape.Visible visible = new AttentionShape.Visible(first, last);
    float[] q = Guarded.normal(tokens * 4 * 24, 1);
    float[] k = Guarded.normal(tokens * 2 * 24, 2);
    float[] v = Guarded.normal(tokens * 2 * 24, 3);
    float[] dout = Guarded.normal(q.length, 4);
    Case seeing = new Case(4, 2, 24, tokens - blind, tokens - blind);
    AttentionReference reference = new AttentionReference(shape, rows(q, blind, seeing.tokens, 96),
        rows(k, blind, seeing.tokens, 48), rows(v, blind, seeing.tokens, 48), seeing.tokens, seeing.visible());
    double[] out = reference.forward();
    double[] gradients = reference.backward(rows(dout, blind, seeing.tokens, 96));
    int queries = seeing.tokens * 96;
    int keys = seeing.tokens * 48;

    Kernels.assertClose(behindZeros(blind * 96, Arrays.copyOf(out, queries)), Kernels.onAnyThreads(
        workers -> Arrays.copyOf(forward(workers, shape, q, k, v, visible, tokens), q.length)), 2e-6, 1);
    float[] all = Kernels.onAnyThreads(workers -> backward(workers, shape, q, k, v, dout, visible, tokens));
    Kernels.assertClose(behindZeros(blind * 96, Arrays.copyOf(gradients, queries)), Arrays.copyOf(all, q.length), 1e-5,
        1);
    Kernels.assertClose(behindZeros(blind * 48, Arrays.copyOfRange(gradients, queries, queries + keys)),
        Arrays.copyOfRange(all, q.length, q.length + k.length), 1e-5, 1);
    Kernels.assertClose(behindZeros(blind * 48, Arrays.copyOfRange(gradients, queries + keys, gradients.length)),
        Arrays.copyOfRange(all, q.length + k.length, all.length), 1e-5, 1);
  }

  private static double[] behindZeros(int zeros, double[] values) {
    double[] all = new double[zeros + values.length];
    System.arraycopy(values, 0, all, zeros, values.length);
    return all;
  }

  @Test
  void headsThatCannotBeSharedAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new AttentionShape(5, 2, 8));
    assertThrows(IllegalArgumentException.class, () -> new AttentionShape(4, 0, 8));
  }

  private static float[] forward(Workers workers, Case c, float[] q, float[] k, float[] v) {
    return forward(workers, c.shape(), q, k, v, c.start().toArray(ValueLayout.JAVA_INT));
  }

  private static float[] forward(Workers workers, AttentionShape shape, float[] q, float[] k, float[] v, int[] start) {
    return forward(workers, shape, q, k, v, AttentionShape.Visible.causal(MemorySegment.ofArray(start), start.length),
        start.length);
  }

  private static float[] forward(Workers workers, AttentionShape shape, float[] q, float[] k, float[] v,
      AttentionShape.Visible visible, int tokens) {
    Guarded out = Guarded.output(q.length);
    Guarded logSumExp = Guarded.output(tokens * shape.heads());
    new AttentionKernel(workers).forward(shape, Guarded.of(q).data(), Guarded.of(k).data(), Guarded.of(v).data(),
        tokens, tokens, visible, out.data(), logSumExp.data(),
        Guarded.scratch(AttentionKernel.scratchBytes(shape, 3)));
    return concat(out.floats(), logSumExp.floats());
  }

  private static float[] backward(Workers workers, Case c, float[] q, float[] k, float[] v, float[] dout) {
    return backward(workers, c.shape(), q, k, v, dout, c.visible(), c.tokens);
  }

  private static float[] backward(Workers workers, AttentionShape shape, float[] q, float[] k, float[] v,
      float[] dout, AttentionShape.Visible visible, int tokens) {
    float[] forward = forward(workers, shape, q, k, v, visible, tokens);
    Guarded dq = Guarded.output(q.length);
    Guarded dk = Guarded.output(k.length);
    Guarded dv = Guarded.output(v.length);
    AttentionGradientKernel kernel = new AttentionGradientKernel(workers);
    AttentionGradientKernel.Tensors tensors = new AttentionGradientKernel.Tensors(Guarded.of(q).data(),
        Guarded.of(k).data(), Guarded.of(v).data(), Guarded.of(Arrays.copyOf(forward, q.length)).data(),
        Guarded.of(Arrays.copyOfRange(forward, q.length, forward.length)).data(), Guarded.of(dout).data(), dq.data(),
        dk.data(), dv.data());
    MemorySegment scratch = Guarded.scratch(AttentionGradientKernel.scratchBytes(shape, tokens, 3));
    kernel.backward(shape, tensors, tokens, visible, scratch);
    return concat(concat(dq.floats(), dk.floats()), dv.floats());
  }

  private static float[] concat(float[] a, float[] b) {
    float[] both = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, both, a.length, b.length);
    return both;
  }
}
