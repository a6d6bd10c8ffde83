package dev.jqlora.training.config;

/** How several datasets become one. */
public enum MixStrategy {
  /** One after the other. */
  CONCAT,

  /** In turns, until the first is exhausted. */
  INTERLEAVE_UNDER,

  /** In turns, the short ones starting again, until the last is exhausted. */
  INTERLEAVE_OVER,

  /** In turns, leaving out the exhausted ones, until all are. */
  INTERLEAVE_ONCE
}
