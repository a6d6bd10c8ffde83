package dev.jqlora.training.run;

import java.util.SortedMap;
import java.util.TreeMap;

/**
 * How fast something ran, rounded as transformers rounds it.
 *
 * @param runtime seconds
 */
public record Speed(double runtime, double samplesPerSecond, double stepsPerSecond) {
  /** The speed of so many samples and steps in so many seconds. */
  public static Speed of(double seconds, long samples, long steps) {
    double divisor = Math.max(seconds, 1e-9);
    return new Speed(round(seconds, 1e4), round(samples / divisor, 1e3), round(steps / divisor, 1e3));
  }

  private static double round(double value, double scale) {
    return Math.rint(value * scale) / scale;
  }

  /** The figures as a new map, named {@code PREFIX_runtime} and so on. */
  public SortedMap<String, Double> values(String prefix) {
    SortedMap<String, Double> values = new TreeMap<>();
    values.put(prefix + "_runtime", runtime);
    values.put(prefix + "_samples_per_second", samplesPerSecond);
    values.put(prefix + "_steps_per_second", stepsPerSecond);
    return values;
  }
}
