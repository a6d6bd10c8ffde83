package dev.jqlora.bench;

import dev.jqlora.bench.RowResult.Verdict;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A report as people read it: lines for a terminal, and a page of Markdown. */
public final class ReportText {
  private static final String LINE = "%-58s %10s %6s %14s %7s  %s";

  private ReportText() {}

  /** What heads the lines of {@link #line}. */
  public static String heading() {
    return String.format(Locale.ROOT, LINE, "what", "time", "±", "rate", "of roof", "compared with, and goals");
  }

  /** One row. */
  public static String line(RowResult row) {
    List<String> notes = new ArrayList<>();
    for (RowResult.Rival rival : row.rivals()) {
      notes.add("%s %s".formatted(rival.name(), time(rival.seconds())));
    }
    for (Verdict goal : row.goals()) {
      notes.add(goal(goal));
    }
    return String.format(Locale.ROOT, LINE, row.name(), time(row.times().seconds()), spread(row.times().spread()),
        rate(row), share(row), String.join("; ", notes)).stripTrailing();
  }

  /** The roofs and what was met. */
  public static String summary(Report report) {
    if (report.device() != null) {
      return "%s%n%s".formatted(report.device(), statedRoofs(report.roofs()));
    }
    List<Verdict> goals = report.rows().stream().flatMap(row -> row.goals().stream()).toList();
    long measured = goals.stream().filter(goal -> goal.met() != null).count();
    long met = goals.stream().filter(goal -> Boolean.TRUE.equals(goal.met())).count();
    return "%s%n%d of %d goals met%s".formatted(roofs(report.roofs()), met, measured,
        measured < goals.size() ? ", %d not measured without a peer".formatted(goals.size() - measured) : "");
  }

  private static String statedRoofs(Roofs roofs) {
    return roofs.equals(Roofs.UNKNOWN)
        ? "its roofs are not known"
        : String.format(Locale.ROOT, "roofs as its maker states them: %.1f TFLOP/s, %.0f GB/s",
            roofs.multiplyAdd() * 1e-12, roofs.read() * 1e-9);
  }

  private static String roofs(Roofs roofs) {
    return String.format(Locale.ROOT, "roofs: %.1f GFLOP/s fused multiply-adds, %.1f GB/s reading, %.1f GB/s triad",
        roofs.multiplyAdd() * 1e-9, roofs.read() * 1e-9, roofs.triad() * 1e-9);
  }

  /** A table of the rows without their goals. */
  public static String table(Report report) {
    StringBuilder table = new StringBuilder("""
        | what | time | ± | rate | of roof | compared with |
        | --- | ---: | ---: | ---: | ---: | --- |
        """);
    report.rows().forEach(row -> table.append("| %s | %s | %s | %s | %s | %s |\n".formatted(row.name(),
        time(row.times().seconds()), spread(row.times().spread()), rate(row), share(row), rivals(row))));
    return table.toString();
  }

  private static String deviceMarkdown(Report report) {
    return "# Benchmark\n\nMeasured on %s, the set %s, on %s; %s.\n\n%s".formatted(report.date(), report.set(),
        report.device(), statedRoofs(report.roofs()), table(report));
  }

  /** {@code docs/benchmarks.md}, or a page on another device than the processor. */
  public static String markdown(Report report) {
    if (report.device() != null) {
      return deviceMarkdown(report);
    }
    Machine machine = report.machine();
    StringBuilder page = new StringBuilder();
    page.append(
        """
            # Benchmarks

            This page is what `./jqlora bench --markdown FILE` writes.

            """);
    page.append(String.format(Locale.ROOT,
        """
            Measured on %s, the set %s, on %s (%d processors, %d threads computing, vectors of %d bits), %.0f GiB of memory, %s,
            %s.

            | roof | |
            | --- | ---: |
            | fused multiply-adds | %.1f GFLOP/s |
            | streaming reads | %.1f GB/s |
            | triad | %.1f GB/s |

            """,
        report.date(), report.set(), machine.processor(), machine.processors(), machine.threads(),
        machine.vectorBits(), machine.memoryBytes() / (double) (1 << 30), machine.system(), machine.java(),
        report.roofs().multiplyAdd() * 1e-9, report.roofs().read() * 1e-9, report.roofs().triad() * 1e-9));
    page.append("""
        ## How

        """);
    page.append(report.peer() == null
        ? ""
        : "The peer is %s on the same threads of the same process. ".formatted(report.peer()));
    page.append(
        """
            Each row is warmed up until it gets no faster and nothing was compiled for a while, then run in
            turn with what it is compared with and with its roof, so that a machine that slows down does so for all of them.
            The time is the median; ± is the distance from the first to the third quartile as a share of it. A peer's results
            are compared with ours on the same numbers before it is timed; the greatest difference stands in the table. The
            rate counts the arithmetic, or the bytes that must be moved at least, and the roof is what the same threads reach
            with independent fused multiply-adds, or reading a gibibyte; operands that stay in a cache may exceed it.
            %s
            | what | time | ± | rate | of roof | compared with | goal | reached | |
            | --- | ---: | ---: | ---: | ---: | --- | --- | --- | --- |
            """
            .formatted(report.rows().stream().anyMatch(row -> row.name().equals(KernelRows.MACHINE_SCALING))
                ? "What the machine gives a second thread that only computes, the row of multiply-adds alone says.\n"
                : ""));
    report.rows().forEach(row -> page.append(row(row)));
    page.append(
        """

            What sets the pace of the rows that miss their goal here or there: [performance.md](performance.md).

            ## Kernel by kernel

            JMH runs each kernel on the shapes that its cases name, with error bars:
            [benchmarks-kernels.md](benchmarks-kernels.md). The first argument is sought in the names.

                mvn -pl engine/bench -am package -DskipTests
                java --add-modules jdk.incubator.vector -jar engine/bench/target/jqlora-engine-bench.jar 'RmsNorm.*8B'

            Any option of JMH may follow, such as `-rf json -rff kernels.json`.
            """);
    return page.toString();
  }

  private static String rivals(RowResult row) {
    return row.rivals().stream().map(rival -> "%s %s%s".formatted(rival.name(), time(rival.seconds()),
        rival.difference() == null ? "" : String.format(Locale.ROOT, " (results within %.0e)", rival.difference())))
        .collect(Collectors.joining("<br>"));
  }

  private static String row(RowResult row) {
    return "| %s | %s | %s | %s | %s | %s | %s | %s | %s |%n".formatted(row.name(), time(row.times().seconds()),
        spread(row.times().spread()), rate(row), share(row), rivals(row), goals(row, Verdict::goal),
        goals(row, goal -> goal.value() == null ? "not measured" : goal.value()), goals(row, ReportText::outcome));
  }

  private static String goals(RowResult row, Function<Verdict, String> part) {
    return row.goals().stream().map(part).collect(Collectors.joining("<br>"));
  }

  private static String goal(Verdict goal) {
    return goal.value() == null
        ? "%s: not measured".formatted(goal.goal())
        : "%s: %s, %s".formatted(goal.goal(), goal.value(), outcome(goal));
  }

  private static String outcome(Verdict goal) {
    if (goal.met() == null) {
      return "";
    }
    return goal.met() ? "met" : "MISSED";
  }

  private static String time(double seconds) {
    return seconds < 1
        ? String.format(Locale.ROOT, "%.2f ms", seconds * 1e3)
        : String.format(Locale.ROOT, "%.2f s", seconds);
  }

  private static String spread(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }

  private static String rate(RowResult row) {
    double seconds = row.times().seconds();
    return row.roof() == Roof.MULTIPLY_ADD
        ? String.format(Locale.ROOT, "%.1f GFLOP/s", row.flops() / seconds * 1e-9)
        : String.format(Locale.ROOT, "%.2f GB/s", row.bytes() / seconds * 1e-9);
  }

  private static String share(RowResult row) {
    return row.roofShare() == 0 ? "" : String.format(Locale.ROOT, "%.0f %%", 100 * row.roofShare());
  }
}
