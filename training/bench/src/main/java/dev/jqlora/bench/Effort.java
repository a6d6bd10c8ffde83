package dev.jqlora.bench;

/**
 * How long something is measured: at least {@link #FEWEST_RUNS} times, then until runs and seconds are enough, or the
 * longest time is over.
 *
 * @param runs that are enough
 * @param seconds of each contender that are enough
 * @param mostSeconds of all contenders, after which no further run begins
 */
record Effort(int runs, double seconds, double mostSeconds) {
  /** A median of three already leaves out one that was disturbed. */
  static final int FEWEST_RUNS = 3;
  static final Effort FULL = new Effort(7, 1.5, 40);
  static final Effort QUICK = new Effort(FEWEST_RUNS, 0.5, 15);
  private static final Effort TINY = new Effort(FEWEST_RUNS, 0, 0);

  static Effort of(Bench.Extent extent) {
    return switch (extent) {
      case FULL -> FULL;
      case QUICK -> QUICK;
      case TINY -> TINY;
    };
  }
}
