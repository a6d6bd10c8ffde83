package dev.jqlora.training.config;

import org.jspecify.annotations.Nullable;

/**
 * Checkpoints and which of them is best.
 *
 * @param totalLimit checkpoints to keep, or null for all
 * @param onlyModel whether optimizer and schedule are left out
 * @param metric {@code loss}, {@code accuracy} or {@code perplexity}
 */
public record SavingArguments(Interval interval, @Nullable Integer totalLimit, boolean onlyModel,
    boolean loadBestModelAtEnd, String metric, boolean greaterIsBetter) {
  static SavingArguments of(Values values) {
    String metric = values.get(Keys.METRIC_FOR_BEST_MODEL);
    Boolean greater = values.orNull(Keys.GREATER_IS_BETTER);
    if (metric.equals("accuracy") && !values.get(Keys.COMPUTE_ACCURACY)) {
      throw values.error(Keys.METRIC_FOR_BEST_MODEL, "accuracy needs compute_accuracy: true");
    }
    if (metric.equals("perplexity") && values.get(Keys.STAGE) != Stage.PT) {
      throw values.error(Keys.METRIC_FOR_BEST_MODEL, "perplexity is evaluated in stage pt only; use loss");
    }
    return new SavingArguments(
        Interval.of(values, Keys.SAVE_STRATEGY, Keys.SAVE_STEPS, values.get(Keys.SAVE_STEPS)),
        values.orNull(Keys.SAVE_TOTAL_LIMIT), values.get(Keys.SAVE_ONLY_MODEL), values.get(Keys.LOAD_BEST_MODEL_AT_END),
        metric, greater == null ? metric.equals("accuracy") : greater);
  }
}
