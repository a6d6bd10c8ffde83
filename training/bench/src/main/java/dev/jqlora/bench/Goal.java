package dev.jqlora.bench;

import dev.jqlora.engine.graph.Cost;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.DoubleUnaryOperator;

/** What a row is to reach. */
sealed interface Goal {
  /** The rival that is another library, whichever it is. */
  String PEER = "peer";

  /** The share of the roof, at least. */
  record OfRoof(double bound) implements Goal {}

  /** How many times as fast as a rival, at least. */
  record Speed(String rival, double bound) implements Goal {}

  /** The share of a rival's time, at most. */
  record TimeShare(String rival, double bound) implements Goal {}

  /** Bytes in a second, at least. */
  record Rate(double bound) implements Goal {}

  /**
   * What was measured.
   *
   * @param seconds of a run
   * @param roofShare 0 where there is no roof
   * @param rivals their seconds
   */
  record Outcome(double seconds, Cost cost, double roofShare, Map<String, Double> rivals) {
    private OptionalDouble against(String rival, DoubleUnaryOperator compared) {
      Double other = rivals.get(rival);
      return other == null ? OptionalDouble.empty() : OptionalDouble.of(compared.applyAsDouble(other));
    }
  }

  double bound();

  /** What was reached; nothing where the rival was not there. */
  default OptionalDouble value(Outcome outcome) {
    return switch (this) {
      case OfRoof _ -> OptionalDouble.of(outcome.roofShare());
      case Speed speed -> outcome.against(speed.rival(), other -> other / outcome.seconds());
      case TimeShare share -> outcome.against(share.rival(), other -> outcome.seconds() / other);
      case Rate _ -> OptionalDouble.of(outcome.cost().bytes() / outcome.seconds());
    };
  }

  default boolean met(double value) {
    return this instanceof TimeShare ? value <= bound() : value >= bound();
  }

  /** A value of this goal as it is read. */
  default String text(double value) {
    return switch (this) {
      case OfRoof _ -> String.format(Locale.ROOT, "%.0f %% of the roof", 100 * value);
      case Speed speed -> String.format(Locale.ROOT, "%.2f × %s", value, speed.rival());
      case TimeShare share -> String.format(Locale.ROOT, "%.2f of %s's time", value, share.rival());
      case Rate _ -> String.format(Locale.ROOT, "%.0f MB/s", value * 1e-6);
    };
  }

  /** The goal in words. */
  default String text() {
    return (this instanceof TimeShare ? "≤ " : "≥ ") + text(bound());
  }

  /** Whether it was reached. */
  default RowResult.Verdict verdict(Outcome outcome) {
    OptionalDouble value = value(outcome);
    return value.isEmpty()
        ? new RowResult.Verdict(text(), null, null)
        : new RowResult.Verdict(text(), text(value.getAsDouble()), met(value.getAsDouble()));
  }
}
