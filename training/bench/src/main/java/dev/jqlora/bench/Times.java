package dev.jqlora.bench;

import java.util.Arrays;

/**
 * The times of equal runs.
 *
 * @param seconds the median
 * @param spread the distance from the first to the third quartile, as a share of the median
 * @param runs how many
 */
public record Times(double seconds, double spread, int runs) {
  static Times of(double[] seconds) {
    double[] sorted = seconds.clone();
    Arrays.sort(sorted);
    double median = quantile(sorted, 0.5);
    return new Times(median, (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median, sorted.length);
  }

  private static double quantile(double[] sorted, double share) {
    double at = share * (sorted.length - 1);
    int below = (int) at;
    int above = Math.min(below + 1, sorted.length - 1);
    return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
  }
}
