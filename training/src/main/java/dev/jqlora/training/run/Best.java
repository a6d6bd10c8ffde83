package dev.jqlora.training.run;

import java.util.Optional;

/**
 * The best evaluation so far.
 *
 * @param step optimizer steps done at it
 * @param checkpoint the folder that was saved at it, or where none was, at the last one before it that was saved while the best
 */
public record Best(double metric, int step, Optional<String> checkpoint) {
  /** Whether a metric is better than the best so far; the first always is, NaN never. */
  public static boolean isImprovedBy(Optional<Best> best, double metric, boolean greaterIsBetter) {
    return !Double.isNaN(metric) && best.map(known -> greaterIsBetter
        ? metric > known.metric
        : metric < known.metric).orElse(true);
  }

  /** A better evaluation, of which nothing is saved yet. */
  public static Best after(Optional<Best> before, double metric, int step) {
    return new Best(metric, step, before.flatMap(Best::checkpoint));
  }

  /** This evaluation, saved as a checkpoint. */
  public Best savedAs(String folder) {
    return new Best(metric, step, Optional.of(folder));
  }
}
