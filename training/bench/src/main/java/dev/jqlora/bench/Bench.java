package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.Tensor;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Measures the set. */
public final class Bench {
  /** How far results of two libraries may be apart, as a share of the largest number: sums of 14,336 products differ so. */
  private static final double TOLERANCE = 2e-4;

  private final Options options;
  private final Sizes sizes;
  private final Effort effort;

  /**
   * What to measure.
   *
   * @param quick the smaller set, with fewer runs
   * @param threads that compute
   * @param filter is sought in the rows' names
   * @param stackLayers of the model that stands for all of it; as the set has it where empty
   * @param checkpointLayers of the checkpoint that is loaded, likewise
   * @param peer to compare with, open; closed by the caller
   */
  public record Options(boolean quick, int threads, Pattern filter, OptionalInt stackLayers,
      OptionalInt checkpointLayers, @Nullable Peer peer) {}

  /** Is told how far it is. */
  public interface Listener {
    void measuring(String row);

    void measured(RowResult result);
  }

  public Bench(Options options) {
    this(options, Sizes.of(options), options.quick() ? Effort.QUICK : Effort.FULL);
  }

  Bench(Options options, Sizes sizes, Effort effort) {
    this.options = options;
    this.sizes = sizes;
    this.effort = effort;
  }

  /** The names of the rows that the filter lets through. */
  public List<String> names() {
    return rows().stream().map(Row::name).toList();
  }

  private List<Row> rows() {
    KernelRows kernels = new KernelRows(sizes);
    List<Row> rows = new ArrayList<>(kernels.rows());
    rows.addAll(new ModelRows(sizes, kernels).rows());
    return rows.stream().filter(row -> options.filter().matcher(row.name()).find()).toList();
  }

  /**
   * Measures all rows.
   *
   * @throws JqloraException of kind USAGE where no row is left, of kind NUMERICS where a peer's results are others
   */
  public Report run(Listener listener) {
    List<Row> rows = rows();
    if (rows.isEmpty()) {
      throw new JqloraException(Kind.USAGE, "no measurement is named like %s".formatted(options.filter()));
    }
    try (CpuRoof roof = new CpuRoof(options.threads(), sizes.streamedBytes());
        Workbench workbench = new Workbench(options.threads())) {
      listener.measuring("the roofs");
      Roofs roofs = Roofs.measure(roof, effort);
      List<RowResult> results = new ArrayList<>();
      for (Row row : rows) {
        listener.measuring(row.name());
        RowResult result = measure(row, workbench, roof);
        listener.measured(result);
        results.add(result);
      }
      Peer peer = options.peer();
      return new Report(LocalDate.now(ZoneOffset.UTC).toString(), set(), Machine.here(options.threads()), roofs,
          peer == null ? null : peer.name(), results);
    }
  }

  /** What was measured, in words. */
  private String set() {
    String filter = options.filter().pattern();
    return filter.isEmpty() ? sizes.name() : "%s, only what matches `%s`".formatted(sizes.name(), filter);
  }

  private RowResult measure(Row row, Workbench workbench, CpuRoof roof) {
    try (Setup setup = row.opening().open(workbench)) {
      Measurement measurement = new Measurement(row, setup);
      Setup.Comparison comparison = setup.comparison();
      Peer peer = options.peer();
      if (peer == null || comparison == null) {
        return measurement.run(effort, roof, null);
      }
      try (Contender contender = peer.prepare(comparison.task(), comparison.inputs())) {
        double difference = compare(row, setup.subject(), peer.name(), contender);
        return measurement.run(effort, roof, new Measurement.Opponent(peer.name(), contender, difference));
      }
    }
  }

  /** Returns how far the results are apart; too far, and their times say nothing. */
  private static double compare(Row row, Contender ours, String peer, Contender theirs) {
    ours.run();
    theirs.run();
    Map<String, Tensor> others = theirs.results();
    double largest = 0;
    for (Map.Entry<String, Tensor> result : ours.results().entrySet()) {
      double difference = difference(result.getValue(),
          Objects.requireNonNull(others.get(result.getKey()), result.getKey()));
      if (!(difference <= TOLERANCE)) {
        throw new JqloraException(Kind.NUMERICS,
            "%s: %s as %s has it is off by %.1e of its largest number; expected at most %.0e".formatted(row.name(),
                result.getKey(), peer, difference, TOLERANCE));
      }
      largest = Math.max(largest, difference);
    }
    return largest;
  }

  /** The largest distance of two numbers as a share of the largest number; NaN where they do not compare. */
  static double difference(Tensor ours, Tensor theirs) {
    if (ours.type().elements() != theirs.type().elements()) {
      return Double.NaN;
    }
    double distance = 0;
    double largest = 0;
    for (long i = 0; i < ours.type().elements(); i++) {
      distance = Math.max(distance, Math.abs(ours.get(i) - theirs.get(i)));
      largest = Math.max(largest, Math.abs(theirs.get(i)));
    }
    return distance == 0 ? 0 : distance / largest;
  }
}
