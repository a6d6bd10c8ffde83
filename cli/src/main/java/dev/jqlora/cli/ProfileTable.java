package dev.jqlora.cli;

import dev.jqlora.engine.backend.Profile;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;

/** A profile for people; what a backend does not count is a dash. */
final class ProfileTable {
  private ProfileTable() {}

  /** Prints line by line: a row for each program, in the order in which they first ran, and one for each op, the longest first. */
  static void print(Profile profile, Consumer<String> lines) {
    lines.accept("%-24s %8s %11s %9s %11s %10s %10s %15s %15s".formatted("program", "runs", "seconds", "kernels",
        "in kernels", "compiler", "driver", "bytes in", "bytes out"));
    profile.programs().forEach((name, runs) -> lines.accept("%-24s %8s %11s %9s %11s %10s %10s %15s %15s".formatted(
        name, count(runs.count()), seconds(runs.nanoseconds()), count(runs.kernels()),
        seconds(runs.kernelNanoseconds()), seconds(runs.compilerNanoseconds()), seconds(runs.driverNanoseconds()),
        count(runs.bytesIn()), count(runs.bytesOut()))));
    if (profile.ops().isEmpty()) {
      return;
    }
    long all = profile.ops().values().stream().mapToLong(Profile.Kernels::nanoseconds).sum();
    lines.accept("%-24s %8s %11s %9s".formatted("op", "kernels", "seconds", "share"));
    profile.ops().entrySet().stream()
        .sorted(Map.Entry.comparingByValue(Comparator.comparingLong(Profile.Kernels::nanoseconds).reversed()))
        .forEach(op -> lines.accept("%-24s %8s %11s %9s".formatted(op.getKey(), count(op.getValue().count()),
            seconds(op.getValue().nanoseconds()),
            String.format(Locale.ROOT, "%.1f %%", 100.0 * op.getValue().nanoseconds() / Math.max(1, all)))));
  }

  private static String count(long count) {
    return count == 0 ? "-" : String.format(Locale.ROOT, "%,d", count);
  }

  private static String seconds(long nanoseconds) {
    return nanoseconds == 0 ? "-" : String.format(Locale.ROOT, "%.3f", nanoseconds / 1e9);
  }
}
