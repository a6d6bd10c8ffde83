package dev.jqlora.training.schedule;

/**
 * The factor f(k) of the learning rate, where k is the number of updates done before this one, W the steps of warm-up
 * and T all steps. A pure function, so a resumed run needs nothing but k. Formulas are those of transformers'
 * {@code optimization.py}.
 */
sealed interface Schedule {
  double factor(int k);

  /** k / W, the straight way up that most schedules begin with. */
  private static double warmup(int k, int warmup) {
    return k / (double) Math.max(1, warmup);
  }

  /** How far k is on the way from W to T, from 0 to 1. */
  private static double progress(int k, int warmup, int total) {
    return (k - warmup) / (double) Math.max(1, total - warmup);
  }

  /** (1 + cos(2 pi c p)) / 2: half a wave down with c = 0.5. */
  private static double cosineWave(double cycles, double progress) {
    return 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress));
  }

  /** 1, without any warm-up. */
  record Constant() implements Schedule {
    @Override
    public double factor(int k) {
      return 1;
    }
  }

  /** 1 after warm-up. */
  record ConstantWithWarmup(int warmup) implements Schedule {
    @Override
    public double factor(int k) {
      return k < warmup ? Schedule.warmup(k, warmup) : 1;
    }
  }

  /** Straight down to 0 at T. */
  record Linear(int warmup, int total) implements Schedule {
    @Override
    public double factor(int k) {
      return k < warmup ? Schedule.warmup(k, warmup) : Math.max(0, (total - k) / (double) Math.max(1, total - warmup));
    }
  }

  /** {@code m + (1 - m) cosine}, m being the floor. */
  record Cosine(int warmup, int total, double cycles, double floor) implements Schedule {
    @Override
    public double factor(int k) {
      if (k < warmup) {
        return Schedule.warmup(k, warmup);
      }
      double wave = cosineWave(cycles, progress(k, warmup, total));
      return Math.max(0, wave * (1 - floor) + floor);
    }
  }

  /** Half a wave down, again and again. */
  record CosineWithRestarts(int warmup, int total, double cycles) implements Schedule {
    @Override
    public double factor(int k) {
      if (k < warmup) {
        return Schedule.warmup(k, warmup);
      }
      double progress = progress(k, warmup, total);
      return progress >= 1 ? 0 : Math.max(0, cosineWave(0.5, cycles * progress % 1));
    }
  }

  /** {@link Cosine} one step early, so that neither the first nor the last step stands still at an end. */
  record CosineWarmupWithFloor(int warmup, int total, double cycles, double floor, double warmupStart)
      implements
        Schedule {
    /** The {@code warmupStart} that means: begin at 1 / W. */
    static final double FROM_ONE_STEP = Double.NaN;

    @Override
    public double factor(int k) {
      if (k < warmup) {
        return Double.isNaN(warmupStart)
            ? Schedule.warmup(k + 1, warmup)
            : warmupStart + (1 - warmupStart) * k / Math.max(1, warmup - 1);
      }
      double wave = cosineWave(cycles, progress(k + 1, warmup, total));
      return Math.max(0, wave * (1 - floor) + floor);
    }
  }

  /** Down to {@code end} by a power of what is left; {@code end} is a share of the base rate. */
  record Polynomial(int warmup, int total, double end, double power) implements Schedule {
    @Override
    public double factor(int k) {
      if (k < warmup) {
        return Schedule.warmup(k, warmup);
      }
      return k >= total ? end : (1 - end) * Math.pow(1 - progress(k, warmup, total), power) + end;
    }
  }

  /** 1 / sqrt of the steps, scaled to 1 at W. */
  record InverseSqrt(int warmup) implements Schedule {
    private static final int TIMESCALE_WITHOUT_WARMUP = 10_000;

    @Override
    public double factor(int k) {
      int timescale = warmup == 0 ? TIMESCALE_WITHOUT_WARMUP : warmup;
      return k < warmup ? Schedule.warmup(k, warmup) : 1 / Math.sqrt((k + timescale - warmup) / (double) timescale);
    }
  }

  /** The shape of a way up or down between the floor and 1. */
  enum Curve {
    LINEAR, COSINE, ONE_MINUS_SQRT
  }

  /** Up, level for {@code stable} steps, down over {@code decay} steps, then at the floor. */
  record WarmupStableDecay(int warmup, int stable, int decay, Curve warmupCurve, Curve decayCurve, double floor,
      double cycles) implements Schedule {
    @Override
    public double factor(int k) {
      if (k < warmup) {
        return aboveFloor(up(Schedule.warmup(k, warmup)));
      }
      long decayed = (long) k - warmup - stable;
      if (decayed < 0) {
        return 1;
      }
      return decayed < decay ? aboveFloor(down(decayed / (double) Math.max(1, decay))) : floor;
    }

    private double up(double progress) {
      return switch (warmupCurve) {
        case LINEAR -> progress;
        case COSINE -> 0.5 * (1 - Math.cos(Math.PI * progress));
        case ONE_MINUS_SQRT -> 1 - Math.sqrt(1 - progress);
      };
    }

    private double down(double progress) {
      return switch (decayCurve) {
        case LINEAR -> 1 - progress;
        case COSINE -> cosineWave(cycles, progress);
        case ONE_MINUS_SQRT -> 1 - Math.sqrt(progress);
      };
    }

    private double aboveFloor(double share) {
      return Math.max(0, share * (1 - floor) + floor);
    }
  }
}
