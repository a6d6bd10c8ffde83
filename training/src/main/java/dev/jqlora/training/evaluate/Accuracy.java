package dev.jqlora.training.evaluate;

import java.util.OptionalDouble;

/**
 * How many of n independent questions were answered rightly.
 *
 * @param n at least 1
 */
public record Accuracy(int n, int correct) {
  /** The normal distribution's 97.5 % quantile. */
  private static final double Z = 1.959963984540054;

  public Accuracy {
    if (n < 1 || correct < 0 || correct > n) {
      throw new IllegalArgumentException(correct + " of " + n);
    }
  }

  /** Two ends of a range of shares. */
  public record Interval(double low, double high) {}

  /** The share of right answers. */
  public double share() {
    return (double) correct / n;
  }

  /** The 95 % interval by Wilson's score (1927), which is sound for few questions and shares near 0 or 1. */
  public Interval interval() {
    double squared = Z * Z / n;
    double centre = (share() + squared / 2) / (1 + squared);
    double half = Z / (1 + squared) * Math.sqrt(share() * (1 - share()) / n + squared / (4 * n));
    return new Interval(Math.max(0, centre - half), Math.min(1, centre + half));
  }

  /** {@code √(p (1 - p) / (n - 1))}, as lm-evaluation-harness reports it; none for a single question. */
  public OptionalDouble standardError() {
    return n == 1 ? OptionalDouble.empty() : OptionalDouble.of(Math.sqrt(share() * (1 - share()) / (n - 1)));
  }
}
