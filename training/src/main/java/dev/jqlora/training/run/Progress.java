package dev.jqlora.training.run;

import java.time.Duration;
import java.util.Locale;

/**
 * How far a run is.
 *
 * @param step optimizer steps done
 * @param epoch epochs done, with the share of the one in progress
 * @param elapsed time spent in all parts of the run
 */
public record Progress(int step, int totalSteps, double epoch, Duration elapsed) {
  /** Time that the rest takes at the speed so far; zero before the first step. */
  public Duration remaining() {
    return step == 0 ? Duration.ZERO : elapsed.dividedBy(step).multipliedBy(Math.max(0, totalSteps - step));
  }

  /** Share of the steps that are done, in percent with two decimals. */
  public double percentage() {
    return totalSteps == 0 ? 100 : Math.rint(step * 10_000.0 / totalSteps) / 100;
  }

  /** A duration as {@code H:MM:SS}, with {@code D day(s), } before it where it is that long. */
  public static String clock(Duration duration) {
    String time = String.format(Locale.ROOT, "%d:%02d:%02d", duration.toHoursPart(), duration.toMinutesPart(),
        duration.toSecondsPart());
    long days = duration.toDays();
    return days == 0 ? time : String.format(Locale.ROOT, "%d %s, %s", days, days == 1 ? "day" : "days", time);
  }
}
