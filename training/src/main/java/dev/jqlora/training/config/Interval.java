package dev.jqlora.training.config;

/**
 * When something that recurs is done.
 *
 * @param steps with {@link IntervalStrategy#STEPS}: a whole number of optimizer steps, or below 1 a share of all steps
 */
public record Interval(IntervalStrategy strategy, double steps) {
  static Interval of(Values values, Key<IntervalStrategy> strategyKey, Key<Double> stepsKey, double steps) {
    IntervalStrategy strategy = values.get(strategyKey);
    boolean valid = steps > 0 && (steps < 1 || steps == Math.rint(steps)) && steps <= Integer.MAX_VALUE;
    if (strategy == IntervalStrategy.STEPS && !valid) {
      throw values.error(stepsKey, "expected a whole number of steps or a share below 1, got " + steps);
    }
    return new Interval(strategy, steps);
  }

  /** Steps between two occurrences in a run of {@code totalSteps}. */
  public int everySteps(int totalSteps) {
    return steps < 1 ? (int) Math.max(1, Math.ceil(totalSteps * steps)) : (int) steps;
  }

  /** Whether it is due after {@code completedSteps} of a run of {@code totalSteps}; ends of epochs are not seen here. */
  public boolean isDueAfter(int completedSteps, int totalSteps) {
    return strategy == IntervalStrategy.STEPS && completedSteps % everySteps(totalSteps) == 0;
  }
}
