package dev.jqlora.bench;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;

/**
 * Times runs. Each contender is warmed up until it gets no faster and nothing was compiled for a while; then all run in turn,
 * so that a machine that slows down or speeds up does so for all of them.
 *
 * <p>Getting no faster is not enough: with its threads at work there is little time for the compiler, and code that waits
 * for it, some fifty times slower where it is vectors', takes equally long again and again.
 */
final class Stopwatch {
  /** A run is repeated until the clock and a moment's disturbance no longer matter. */
  private static final double SHORTEST_SAMPLE = 0.02;
  private static final int MOST_RUNS = 100;
  /** Something is always compiled: so many times the seconds without are waited for at most. */
  private static final int MOST_WAITS = 10;
  /** Of anything that is timed, however long it takes: two to see that it gets no faster, and the samples. */
  static final int FEWEST_RUNS = 2 + Effort.FEWEST_RUNS;
  private static final double FASTER = 0.98;
  /** Threads of one contender may wait a moment for more work before they sleep. */
  private static final long PAUSE_NANOS = 20_000_000;

  private final Effort effort;
  private final LongSupplier nanos;
  private final LongSupplier compiled;

  Stopwatch(Effort effort) {
    this(effort, System::nanoTime, compiler());
  }

  /**
   * @param nanos the clock
   * @param compiled changes whenever something has been compiled
   */
  Stopwatch(Effort effort, LongSupplier nanos, LongSupplier compiled) {
    this.effort = effort;
    this.nanos = nanos;
    this.compiled = compiled;
  }

  private static LongSupplier compiler() {
    CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
    return compiler != null && compiler.isCompilationTimeMonitoringSupported()
        ? compiler::getTotalCompilationTime
        : () -> 0;
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
    double quiet = 0;
    boolean faster = true;
    long known = compiled.getAsLong();
    while ((faster || quiet < effort.seconds()) && total < MOST_WAITS * Math.max(effort.seconds(), best)) {
      double seconds = time(contender, 1);
      total += seconds;
      faster = seconds < best * FASTER;
      long now = compiled.getAsLong();
      quiet = now == known || seconds >= effort.seconds() ? quiet + seconds : 0;
      known = now;
      best = Math.min(best, seconds);
    }
    return (int) Math.clamp(Math.ceil(SHORTEST_SAMPLE / best), 1, 1_000_000);
  }

  private double time(Runnable contender, int repeats) {
    return time(contender, repeats, nanos);
  }

  /** The seconds that some runs take by a clock. */
  static double time(Runnable contender, int repeats, LongSupplier nanos) {
    long start = nanos.getAsLong();
    for (int i = 0; i < repeats; i++) {
      contender.run();
    }
    return (nanos.getAsLong() - start) * 1e-9;
  }
}
