package dev.jqlora.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Times runs. Each contender is warmed up until it gets no faster; then all run in turn, so that a machine that slows down
 * or speeds up does so for all of them.
 */
final class Stopwatch {
  /** A run is repeated until the clock and a moment's disturbance no longer matter. */
  private static final double SHORTEST_SAMPLE = 0.02;
  private static final int MOST_RUNS = 100;
  /** Runs in a row that are no faster than the best before, after which code counts as compiled; of long runs one. */
  private static final int STABLE_RUNS = 3;
  private static final int MOST_WARM_UPS = 10_000;
  /** Of anything that is timed, however long it takes: two to see that it gets no faster, and the samples. */
  static final int FEWEST_RUNS = 2 + Effort.FEWEST_RUNS;
  private static final double FASTER = 0.98;
  /** Threads of one contender may wait a moment for more work before they sleep. */
  private static final long PAUSE_NANOS = 20_000_000;

  private final Effort effort;

  Stopwatch(Effort effort) {
    this.effort = effort;
  }

  /** The times of each contender. */
  List<Times> measure(List<Runnable> contenders) {
    int[] repeats = contenders.stream().mapToInt(this::warmUp).toArray();
    List<double[]> samples = new ArrayList<>();
    double[] total = new double[contenders.size()];
    while (samples.size() < Effort.FEWEST_RUNS || !enough(samples.size(), total)) {
      double[] round = new double[contenders.size()];
      for (int i = 0; i < round.length; i++) {
        if (round.length > 1) {
          LockSupport.parkNanos(PAUSE_NANOS);
        }
        double seconds = time(contenders.get(i), repeats[i]);
        round[i] = seconds / repeats[i];
        total[i] += seconds;
      }
      samples.add(round);
    }
    List<Times> times = new ArrayList<>();
    for (int i = 0; i < contenders.size(); i++) {
      int contender = i;
      times.add(Times.of(samples.stream().mapToDouble(round -> round[contender]).toArray()));
    }
    return times;
  }

  private boolean enough(int runs, double[] total) {
    return runs >= MOST_RUNS || Arrays.stream(total).sum() >= effort.mostSeconds()
        || runs >= effort.runs() && Arrays.stream(total).min().orElse(0) >= effort.seconds();
  }

  /** Returns how many runs make a sample. */
  private int warmUp(Runnable contender) {
    double best = time(contender, 1);
    double total = best;
    int stable = 0;
    for (int runs = 1; runs < MOST_WARM_UPS && !warm(stable, total); runs++) {
      double seconds = time(contender, 1);
      total += seconds;
      stable = seconds > best * FASTER ? stable + 1 : 0;
      best = Math.min(best, seconds);
    }
    return (int) Math.clamp(Math.ceil(SHORTEST_SAMPLE / best), 1, 1_000_000);
  }

  private boolean warm(int stable, double seconds) {
    return stable >= STABLE_RUNS || stable > 0 && seconds >= effort.seconds();
  }

  static double time(Runnable contender, int repeats) {
    long start = System.nanoTime();
    for (int i = 0; i < repeats; i++) {
      contender.run();
    }
    return (System.nanoTime() - start) * 1e-9;
  }
}
