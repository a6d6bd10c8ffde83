package dev.jqlora.training.config;

import java.util.Map;

/**
 * The learning rate schedule.
 *
 * @param options lr_scheduler_kwargs as text
 * @param warmupSteps whole steps, or between 0 and 1 a share of all steps
 * @param warmupRatio a share of all steps, where warmupSteps is 0
 */
public record ScheduleArguments(SchedulerType type, Map<String, String> options, double warmupSteps,
    double warmupRatio) {
  static ScheduleArguments of(Values values) {
    double warmupSteps = values.get(Keys.WARMUP_STEPS);
    if (warmupSteps > 1 && warmupSteps != Math.rint(warmupSteps)) {
      throw values.error(Keys.WARMUP_STEPS, "expected a whole number of steps or a share below 1, got " + warmupSteps);
    }
    Map<String, String> options = values.orNull(Keys.LR_SCHEDULER_KWARGS);
    return new ScheduleArguments(values.get(Keys.LR_SCHEDULER_TYPE), options == null ? Map.of() : options, warmupSteps,
        values.get(Keys.WARMUP_RATIO));
  }

  /** Steps of warm-up in a run of {@code totalSteps}. */
  public int warmupOf(int totalSteps) {
    if (warmupSteps >= 1) {
      return (int) warmupSteps;
    }
    return (int) Math.ceil(totalSteps * (warmupSteps > 0 ? warmupSteps : warmupRatio));
  }
}
