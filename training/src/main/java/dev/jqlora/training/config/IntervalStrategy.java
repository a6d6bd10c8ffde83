package dev.jqlora.training.config;

/** When something that recurs is done. */
public enum IntervalStrategy {
  /** Never. */
  NO,

  /** Every so many optimizer steps. */
  STEPS,

  /** At the end of each epoch. */
  EPOCH
}
