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
  private record Counted(String name, Cost cost, Graph graph) {
    /** The least milliseconds, and a mark where that is for moving bytes. */
    String bound(double flopsPerSecond, double bytesPerSecond) {
      double seconds = seconds(graph, flopsPerSecond, bytesPerSecond);
      boolean memory = cost.bytes() / bytesPerSecond > cost.flops() / flopsPerSecond;
      return String.format(Locale.ROOT, seconds < 1 ? " %.2f%s |" : " %,.0f%s |", seconds * 1e3, memory ? " m" : "");
    }

    String bytes() {
      return String.format(Locale.ROOT, " %,.1f | %,.1f |", cost.bytes() * 1e-6, cost.flops() / cost.bytes());
    }
  }

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
   * @param floats a backend in float32 that allocates and computes nothing
   * @param tensors the same with products in bfloat16
   */
  public static String markdown(Backend floats, Backend tensors) {
    List<Counted> inFloat32 = count(floats);
    List<Counted> onTensorCores = count(tensors);
    StringBuilder page = new StringBuilder();
    page.append("| card | float32 | tensor cores | memory |\n| --- | ---: | ---: | ---: |\n");
    for (Card card : Card.ALL) {
      page.append(String.format(Locale.ROOT, "| %s | %.1f TFLOP/s | %.1f TFLOP/s | %.0f GB/s |\n", card.name(),
          card.floats() * 1e-12, card.tensors() * 1e-12, card.bandwidth() * 1e-9));
    }
    page.append('\n');
    Card.ALL.forEach(card -> page.append("- %s: %s.\n".formatted(card.name(), card.source())));
    page.append("\n| what, least time in ms | GFLOP | float32: MB | FLOP/byte | tensor cores: MB | FLOP/byte |");
    Card.ALL.forEach(card -> page.append(" %s: float32 | tensor cores |".formatted(card.name())));
    page.append("\n| --- | ---: | ---: | ---: | ---: | ---: |").append(" ---: | ---: |".repeat(Card.ALL.size()))
        .append('\n');
    for (int i = 0; i < inFloat32.size(); i++) {
      page.append(line(inFloat32.get(i), onTensorCores.get(i)));
    }
    return page.toString();
  }

  private static String line(Counted floats, Counted tensors) {
    StringBuilder line = new StringBuilder(
        String.format(Locale.ROOT, "| %s | %,.2f |", floats.name(), floats.cost().flops() * 1e-9));
    line.append(floats.bytes()).append(tensors.bytes());
    for (Card card : Card.ALL) {
      line.append(floats.bound(card.floats(), card.bandwidth()))
          .append(tensors.bound(card.tensors(), card.bandwidth()));
    }
    return line.append('\n').toString();
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
      return new Counted(row.name(), run.cost(), run.graph());
    }
  }
}
