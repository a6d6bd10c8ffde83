package dev.jqlora.training.schedule;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.training.config.ScheduleArguments;
import org.jspecify.annotations.Nullable;

/**
 * The learning rate of a run. Immutable: {@link #at} is a function of the step, and only
 * {@code reduce_lr_on_plateau} has a state, {@link #plateau}.
 */
public final class LearningRate {
  private final double baseRate;
  private final Schedule schedule;
  private final @Nullable Plateau rule;
  private final @Nullable PlateauState state;

  private LearningRate(double baseRate, Schedule schedule, @Nullable Plateau rule, @Nullable PlateauState state) {
    this.baseRate = baseRate;
    this.schedule = schedule;
    this.rule = rule;
    this.state = state;
  }

  /**
   * The learning rate of a run of {@code totalSteps} whose schedule's top is {@code baseRate}.
   *
   * @throws JqloraException {@code CONFIG} for options that the schedule does not have, lacks or cannot use
   */
  public static LearningRate of(ScheduleArguments arguments, double baseRate, int totalSteps) {
    var options = new ScheduleOptions(arguments, baseRate);
    int warmup = arguments.warmupOf(totalSteps);
    Plateau rule = null;
    Schedule schedule = switch (arguments.type()) {
      case CONSTANT -> new Schedule.Constant();
      case CONSTANT_WITH_WARMUP -> new Schedule.ConstantWithWarmup(warmup);
      case LINEAR -> new Schedule.Linear(warmup, totalSteps);
      case COSINE -> new Schedule.Cosine(warmup, totalSteps, options.number("num_cycles", 0.5), 0);
      case COSINE_WITH_RESTARTS -> new Schedule.CosineWithRestarts(warmup, totalSteps, options.number("num_cycles", 1));
      case COSINE_WITH_MIN_LR -> new Schedule.Cosine(warmup, totalSteps, options.number("num_cycles", 0.5),
          options.floor());
      case COSINE_WARMUP_WITH_MIN_LR -> new Schedule.CosineWarmupWithFloor(warmup, totalSteps,
          options.number("num_cycles", 0.5), options.floor(),
          options.number("warmup_lr_rate", Schedule.CosineWarmupWithFloor.FROM_ONE_STEP));
      case POLYNOMIAL -> new Schedule.Polynomial(warmup, totalSteps, options.polynomialEnd(),
          options.number("power", 1));
      case INVERSE_SQRT -> new Schedule.InverseSqrt(warmup);
      case WARMUP_STABLE_DECAY -> options.warmupStableDecay(warmup, totalSteps);
      case REDUCE_LR_ON_PLATEAU -> {
        rule = options.plateau();
        yield new Schedule.Constant();
      }
    };
    options.refuseOthers();
    return new LearningRate(baseRate, schedule, rule, rule == null ? null : rule.start(baseRate));
  }

  /** The rate of the update that {@code completedUpdates} updates precede. */
  public double at(int completedUpdates) {
    return state != null ? state.rate() : baseRate * schedule.factor(completedUpdates);
  }

  /** The rate after an evaluation gave this metric; the same object unless the schedule follows a plateau. */
  public LearningRate afterEvaluation(double metric) {
    return rule == null || state == null ? this : withPlateau(rule.next(state, metric));
  }

  /** The state to store in a checkpoint, or null where the step says everything. */
  public @Nullable PlateauState plateau() {
    return state;
  }

  /** This rate with the state of a checkpoint. */
  public LearningRate withPlateau(PlateauState restored) {
    if (rule == null) {
      throw new IllegalStateException("only reduce_lr_on_plateau has a state");
    }
    return new LearningRate(baseRate, schedule, rule, restored);
  }
}
