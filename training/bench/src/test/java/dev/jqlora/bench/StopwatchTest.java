package dev.jqlora.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class StopwatchTest {
  private static final double MILLIS = 1e-3;

  private long nanos;
  private long compiled;
  private int runs;

  /** A run of a kernel that the compiler gets round to after {@code slowRuns}. */
  private void run(int slowRuns, double slow, double fast) {
    nanos += Math.round((runs++ < slowRuns ? slow : fast) * 1e9);
    if (runs == slowRuns) {
      compiled += 300;
    }
  }

  private Times measure(Runnable contender) {
    return new Stopwatch(Effort.FULL, () -> nanos, () -> compiled).measure(List.of(contender)).getFirst();
  }

  @Test
  void equalRunsAreNotTakenForWarmWhileTheCompilerIsBehind() {
    Times times = measure(() -> run(20, 61 * MILLIS, 20 * MILLIS));
    assertEquals(20 * MILLIS, times.seconds(), 1e-9);
    assertEquals(0, times.spread(), 1e-9);
  }

  @Test
  void timesAreOfRunsAfterTheLastCompilation() {
    Times times = measure(() -> {
      run(700, 4 * MILLIS, 2 * MILLIS);
      // What is compiled late.
      compiled += runs % 100 == 0 && runs < 700 ? 1 : 0;
    });
    assertEquals(2 * MILLIS, times.seconds(), 1e-9);
  }

  @Test
  void aCompilerThatNeverRestsEndsTheWaitingSomeTime() {
    Times times = measure(() -> {
      run(0, 0, 2 * MILLIS);
      compiled++;
    });
    assertEquals(2 * MILLIS, times.seconds(), 1e-9);
    assertTrue(runs < 50_000, "runs: " + runs);
  }

  @Test
  void longRunsThatAreNoFasterAreWarmAfterTwo() {
    Times times = measure(() -> run(0, 0, 20));
    assertEquals(20, times.seconds(), 1e-9);
    assertEquals(2 + Effort.FEWEST_RUNS, runs);
    assertEquals(Stopwatch.FEWEST_RUNS, runs);
  }
}
