package dev.jqlora.training.schedule;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.config.ScheduleArguments;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;

/** {@code lr_scheduler_kwargs}, read by the schedule that they belong to; what it does not read is an error. */
final class ScheduleOptions {
  private final ScheduleArguments arguments;
  private final Map<String, String> given;
  private final double baseRate;
  private final TreeSet<String> known = new TreeSet<>();

  ScheduleOptions(ScheduleArguments arguments, double baseRate) {
    this.arguments = arguments;
    this.given = arguments.options();
    this.baseRate = baseRate;
  }

  /** A number, or the default where it is not given. */
  double number(String name, double defaultValue) {
    known.add(name);
    String text = given.get(name);
    if (text == null) {
      return defaultValue;
    }
    try {
      double number = Double.parseDouble(text);
      if (Double.isFinite(number)) {
        return number;
      }
    } catch (NumberFormatException e) {
      throw error(name + ": expected a number, got " + FileErrors.quoted(text));
    }
    throw error(name + ": expected a finite number, got " + FileErrors.quoted(text));
  }

  private int count(String name, int defaultValue) {
    double number = number(name, defaultValue);
    if (number < 0 || number != Math.rint(number) || number > Integer.MAX_VALUE) {
      throw error(
          name + ": expected a whole number of at least 0, got " + FileErrors.quoted(given.getOrDefault(name, "")));
    }
    return (int) number;
  }

  private String word(String name, String defaultValue, String... allowed) {
    known.add(name);
    String text = given.getOrDefault(name, defaultValue).toLowerCase(Locale.ROOT);
    for (String word : allowed) {
      if (word.equals(text)) {
        return word;
      }
    }
    throw error(name + ": expected one of " + String.join(", ", allowed) + ", got " + FileErrors.quoted(text));
  }

  /** The lowest factor, given as one of {@code min_lr} and {@code min_lr_rate}. */
  double floor() {
    double rate = number("min_lr", Double.NaN);
    double share = number("min_lr_rate", Double.NaN);
    if (Double.isNaN(rate) == Double.isNaN(share)) {
      throw error("expected exactly one of min_lr and min_lr_rate");
    }
    return Double.isNaN(share) ? Math.min(1, rate / Math.max(baseRate, Double.MIN_NORMAL)) : share;
  }

  /** {@code lr_end} as a share of the base rate. */
  double polynomialEnd() {
    double end = number("lr_end", 1e-7);
    if (!(baseRate > end)) {
      throw error("lr_end: expected less than learning_rate " + baseRate + ", got " + end);
    }
    return end / baseRate;
  }

  /** A third of what follows warm-up level, the rest down, unless given otherwise (LLaMA-Factory's default). */
  Schedule warmupStableDecay(int warmup, int total) {
    int remaining = Math.max(0, total - warmup);
    int stable = count("num_stable_steps", remaining / 3);
    int decay = count("num_decay_steps", remaining - remaining / 3);
    return new Schedule.WarmupStableDecay(warmup, stable, decay, curve("warmup_type", "linear"),
        curve("decay_type", "cosine"), number("min_lr_ratio", 0), number("num_cycles", 0.5));
  }

  private Schedule.Curve curve(String name, String defaultValue) {
    return switch (word(name, defaultValue, "linear", "cosine", "1-sqrt")) {
      case "linear" -> Schedule.Curve.LINEAR;
      case "cosine" -> Schedule.Curve.COSINE;
      default -> Schedule.Curve.ONE_MINUS_SQRT;
    };
  }

  /** Defaults are torch's. */
  Plateau plateau() {
    double factor = number("factor", 0.1);
    if (factor >= 1 || factor < 0) {
      throw error("factor: expected a number from 0 to below 1, got " + factor);
    }
    return new Plateau(word("mode", "min", "min", "max").equals("max"), factor, count("patience", 10),
        number("threshold", 1e-4), word("threshold_mode", "rel", "rel", "abs").equals("rel"), count("cooldown", 0),
        number("min_lr", 0), number("eps", 1e-8));
  }

  /** Throws where an option was given that no other method asked for. */
  void refuseOthers() {
    for (String name : new TreeSet<>(given.keySet())) {
      if (!known.contains(name)) {
        throw error("unknown option " + FileErrors.quoted(name)
            + (known.isEmpty() ? "; it has none" : "; expected " + String.join(", ", known)));
      }
    }
  }

  private JqloraException error(String complaint) {
    return new JqloraException(Kind.CONFIG,
        "lr_scheduler_kwargs of " + arguments.type().name().toLowerCase(Locale.ROOT) + ": " + complaint);
  }
}
