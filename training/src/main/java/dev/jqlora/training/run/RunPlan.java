package dev.jqlora.training.run;

/**
 * The sizes of a run that {@code trainer_state.json} states.
 *
 * @param maxSteps optimizer steps of the whole run
 * @param epochs whole epochs that these begin
 * @param evalSteps optimizer steps between evaluations; likewise for logging and saving
 * @param trainBatchSize examples of a micro-batch
 */
public record RunPlan(int maxSteps, int epochs, int evalSteps, int loggingSteps, int saveSteps, int trainBatchSize) {}
