package dev.jqlora.training.schedule;

/**
 * What {@code reduce_lr_on_plateau} remembers between evaluations; a checkpoint stores it.
 *
 * @param rate the learning rate now
 * @param best the best metric so far; infinite before the first evaluation
 */
public record PlateauState(double rate, double best, int badEvaluations, int cooldownLeft) {}
