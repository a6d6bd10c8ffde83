package dev.jqlora.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a row's measurement gave.
 *
 * @param flops floating-point operations of a run
 * @param bytes that a run must move at least
 * @param roofRate operations or bytes in a second that the roof gave while the row was measured; 0 where there is no roof
 * @param roofShare the row's share of it
 */
public record RowResult(String name, Times times, double flops, double bytes, Roof roof, double roofRate,
    double roofShare, List<Rival> rivals, List<Verdict> goals) {
  /**
   * What was measured beside it, in turn with it.
   *
   * @param seconds its time
   * @param spread see {@link Times}; the largest where the time is a sum
   * @param difference how far the results were apart, as a share of the largest number; null where they were not compared
   */
  public record Rival(String name, double seconds, double spread, @Nullable Double difference) {}

  /**
   * A goal and what became of it.
   *
   * @param value null where it could not be measured
   * @param met likewise
   */
  public record Verdict(String goal, @Nullable String value, @Nullable Boolean met) {}
}
