package dev.jqlora.training.config;

import java.nio.file.Path;

/**
 * The run: where it writes, how long it goes, how often it logs, saves and evaluates.
 *
 * @param maxSteps optimizer steps, or -1 to count in epochs
 * @param dataSeed seed of the data order: as given, else {@code seed}
 */
public record TrainerArguments(Path outputDir, boolean doTrain, boolean doEval, boolean overwriteOutputDir,
    ResumeFrom resumeFrom, int trainBatchSize, int evalBatchSize, int gradientAccumulationSteps, double epochs,
    int maxSteps, boolean dropLast, long seed, long dataSeed, OptimizerArguments optimizer, ScheduleArguments schedule,
    Interval logging, boolean logFirstStep, Interval evaluation, boolean evaluateOnStart, SavingArguments saving) {
  static TrainerArguments of(Values values) {
    double loggingSteps = values.get(Keys.LOGGING_STEPS);
    Double evalSteps = values.orNull(Keys.EVAL_STEPS);
    Interval evaluation = Interval.of(values, Keys.EVAL_STRATEGY, Keys.EVAL_STEPS,
        evalSteps == null ? loggingSteps : evalSteps);
    if (values.get(Keys.MAX_STEPS) == 0) {
      throw values.error(Keys.MAX_STEPS, "expected a number above 0, or -1 to count in epochs, got 0");
    }
    Integer dataSeed = values.orNull(Keys.DATA_SEED);
    var arguments = new TrainerArguments(Path.of(values.get(Keys.OUTPUT_DIR)), values.get(Keys.DO_TRAIN),
        values.get(Keys.DO_EVAL) || evaluation.strategy() != IntervalStrategy.NO, values.get(Keys.OVERWRITE_OUTPUT_DIR),
        ResumeFrom.of(values.orNull(Keys.RESUME_FROM_CHECKPOINT)), values.get(Keys.TRAIN_BATCH_SIZE),
        values.get(Keys.EVAL_BATCH_SIZE), values.get(Keys.GRADIENT_ACCUMULATION_STEPS),
        values.get(Keys.NUM_TRAIN_EPOCHS), values.get(Keys.MAX_STEPS), values.get(Keys.DATALOADER_DROP_LAST),
        values.get(Keys.SEED), dataSeed == null ? values.get(Keys.SEED) : dataSeed, OptimizerArguments.of(values),
        ScheduleArguments.of(values),
        Interval.of(values, Keys.LOGGING_STRATEGY, Keys.LOGGING_STEPS, loggingSteps),
        values.get(Keys.LOGGING_FIRST_STEP), evaluation, values.get(Keys.EVAL_ON_START), SavingArguments.of(values));
    arguments.check(values);
    return arguments;
  }

  private void check(Values values) {
    boolean evaluates = evaluation.strategy() != IntervalStrategy.NO;
    if (saving.loadBestModelAtEnd() && evaluation.strategy() != saving.interval().strategy()) {
      throw values.error(Keys.LOAD_BEST_MODEL_AT_END, "eval_strategy and save_strategy must be the same and not no");
    }
    if (saving.loadBestModelAtEnd() && !evaluates) {
      throw values.error(Keys.LOAD_BEST_MODEL_AT_END, "needs eval_strategy steps or epoch");
    }
    if (saving.loadBestModelAtEnd() && evaluation.strategy() == IntervalStrategy.STEPS
        && !isMultiple(saving.interval().steps(), evaluation.steps())) {
      throw values.error(Keys.SAVE_STEPS, "with load_best_model_at_end it must be a multiple of eval_steps");
    }
    if (values.isGiven(Keys.EARLY_STOPPING_STEPS) && !evaluates) {
      throw values.error(Keys.EARLY_STOPPING_STEPS, "needs eval_strategy steps or epoch");
    }
    if (schedule.type() == SchedulerType.REDUCE_LR_ON_PLATEAU && !evaluates) {
      throw values.error(Keys.LR_SCHEDULER_TYPE, "reduce_lr_on_plateau needs eval_strategy steps or epoch");
    }
  }

  private static boolean isMultiple(double saveSteps, double evalSteps) {
    double times = saveSteps / evalSteps;
    return Math.abs(times - Math.rint(times)) < 1e-9 && times >= 1;
  }
}
