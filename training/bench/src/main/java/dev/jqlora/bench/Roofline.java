package dev.jqlora.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * What bounds the rows of the set on cards that nobody need have: an op takes at least as long as its arithmetic at the
 * card's peak, and as its operands through the card's memory, each moved once. A program takes the sum of its ops.
 */
public final class Roofline {
  private Roofline() {}

  /** A row at the 8B model's shapes, as a program that is only counted. */
  private record Counted(String name, Cost cost, Graph graph) {}

  /** The least seconds of a graph's ops, one after another. */
  static double seconds(Graph graph, double flopsPerSecond, double bytesPerSecond) {
    double seconds = 0;
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Repeat repeat) {
        seconds += repeat.count() * seconds(repeat.body(), flopsPerSecond, bytesPerSecond);
      } else {
        Cost cost = node.op().cost(node.inputTypes(), node.outputTypes());
        seconds += Math.max(cost.flops() / flopsPerSecond, cost.bytes() / bytesPerSecond);
      }
    }
    return seconds;
  }

  /**
   * The tables of {@code docs/gpu.md}.
   *
   * @param planner a backend that allocates and computes nothing
   */
  public static String markdown(Backend planner) {
    List<Counted> rows = count(planner);
    StringBuilder page = new StringBuilder();
    page.append("| card | float32 | tensor cores | memory |\n| --- | ---: | ---: | ---: |\n");
    for (Card card : Card.ALL) {
      page.append(String.format(Locale.ROOT, "| %s | %.1f TFLOP/s | %.1f TFLOP/s | %.0f GB/s |\n", card.name(),
          card.floats() * 1e-12, card.tensors() * 1e-12, card.bandwidth() * 1e-9));
    }
    page.append('\n');
    Card.ALL.forEach(card -> page.append("- %s: %s.\n".formatted(card.name(), card.source())));
    page.append("\n| what, least time in ms | GFLOP | MB | FLOP/byte |");
    Card.ALL.forEach(card -> page.append(" %s: float32 | tensor cores |".formatted(card.name())));
    page.append("\n| --- | ---: | ---: | ---: |").append(" ---: | ---: |".repeat(Card.ALL.size())).append('\n');
    rows.forEach(row -> page.append(line(row)));
    return page.toString();
  }

  private static String line(Counted row) {
    Cost cost = row.cost();
    StringBuilder line = new StringBuilder(String.format(Locale.ROOT, "| %s | %,.2f | %,.1f | %,.1f |", row.name(),
        cost.flops() * 1e-9, cost.bytes() * 1e-6, cost.flops() / cost.bytes()));
    for (Card card : Card.ALL) {
      line.append(bound(row, card.floats(), card.bandwidth())).append(bound(row, card.tensors(), card.bandwidth()));
    }
    return line.append('\n').toString();
  }

  /** The least milliseconds, and a mark where that is for moving bytes. */
  private static String bound(Counted row, double flopsPerSecond, double bytesPerSecond) {
    double seconds = seconds(row.graph(), flopsPerSecond, bytesPerSecond);
    boolean memory = row.cost().bytes() / bytesPerSecond > row.cost().flops() / flopsPerSecond;
    return String.format(Locale.ROOT, seconds < 1 ? " %.2f%s |" : " %,.0f%s |", seconds * 1e3, memory ? " m" : "");
  }

  private static List<Counted> count(Backend planner) {
    Sizes sizes = Sizes.counted();
    KernelRows kernels = new KernelRows(sizes);
    List<Row> rows = new ArrayList<>(kernels.rows());
    rows.addAll(new ModelRows(sizes, kernels).layersAndStep());
    try (Workbench bench = new Workbench(1, _ -> planner)) {
      return rows.stream().map(row -> count(row, bench)).toList();
    }
  }

  private static Counted count(Row row, Workbench bench) {
    try (Setup setup = row.opening().open(bench)) {
      ProgramRun run = setup.subject() instanceof LayerRun layer ? layer.program() : (ProgramRun) setup.subject();
      return new Counted(row.name(), run.cost(), run.program().graph());
    }
  }
}
