package dev.jqlora.training.config;

/** The learning rate schedules; each formula stands at the schedule of its name in {@code training.schedule}. */
public enum SchedulerType {
  LINEAR, COSINE, COSINE_WITH_RESTARTS, POLYNOMIAL, CONSTANT, CONSTANT_WITH_WARMUP, INVERSE_SQRT, COSINE_WITH_MIN_LR, COSINE_WARMUP_WITH_MIN_LR, WARMUP_STABLE_DECAY, REDUCE_LR_ON_PLATEAU
}
