package dev.jqlora.bench;

/** How fast a device multiplies, found out in a moment on any: by a product that grows until it takes long enough. */
final class Pace {
  private static final int SMALLEST = 64;
  private static final int LARGEST = 2048;
  /** Less than this may be the start of a kernel more than its work. */
  private static final double ENOUGH_SECONDS = 0.05;
  /** The first may compile and the second record what is run. */
  private static final int RUNS = 3;

  private Pace() {}

  /** Floating-point operations in a second. */
  static double of(Workbench bench) {
    for (int n = SMALLEST;; n *= 2) {
      try (ProgramRun product = KernelRows.square(bench, n)) {
        double seconds = best(product);
        if (seconds >= ENOUGH_SECONDS || n >= LARGEST) {
          return product.cost().flops() / seconds;
        }
      }
    }
  }

  private static double best(ProgramRun product) {
    double best = Double.POSITIVE_INFINITY;
    for (int run = 0; run < RUNS; run++) {
      best = Math.min(best, Stopwatch.time(product::run, 1, System::nanoTime));
    }
    return best;
  }
}
