package dev.jqlora.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.cpu.CpuRoof;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.function.IntFunction;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Measures the set. */
public final class Bench {
  /** How far results of two libraries may be apart, as a share of the largest number: sums of 14,336 products differ so. */
  private static final double TOLERANCE = 2e-4;

  private final Options options;
  private final Sizes sizes;
  private final Effort effort;

  /** How much is measured. */
  public enum Extent {
    /** Real models' shapes. */
    FULL,
    /** A smaller set, with fewer runs. */
    QUICK,
    /** Shapes whose figures mean nothing: to see that everything runs. */
    TINY
  }

  /**
   * What to measure.
   *
   * @param backend that is measured, made for a number of threads; the CPU's where null, against measured roofs
   * @param threads that compute
   * @param filter is sought in the rows' names
   * @param stackLayers of the model that stands for all of it; as the set has it where empty
   * @param checkpointLayers of the checkpoint that is loaded, likewise
   * @param peer to compare with, open; closed by the caller
   */
  public record Options(Extent extent, @Nullable IntFunction<Backend> backend, int threads, Pattern filter,
      OptionalInt stackLayers,
      OptionalInt checkpointLayers, @Nullable Peer peer) {}

  /** Is told how far it is. */
  public interface Listener {
    /** Says nothing of it to anyone. */
    Listener SILENT = new Listener() {
      @Override
      public void measuring(String row) {}

      @Override
      public void measured(RowResult result) {}
    };

    void measuring(String row);

    void measured(RowResult result);
  }

  public Bench(Options options) {
    this(options, Sizes.of(options), Effort.of(options.extent()));
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

  /**
   * The least seconds that another backend than the CPU's takes to be measured: the arithmetic of the rows, as often as
   * anything is run, at the pace of a product that is timed for this. Says in a moment what no one need wait for.
   *
   * @param planner plans and computes nothing; what it has kernels for is counted
   */
  public double leastSeconds(Backend planner) {
    IntFunction<Backend> backend = Objects.requireNonNull(options.backend());
    double flops = 0;
    try (Workbench counting = new Workbench(1, _ -> planner);
        Workbench workbench = new Workbench(options.threads(), backend)) {
      for (Row row : rows()) {
        try (Setup setup = row.opening().open(counting)) {
          flops += setup.cost().flops();
        }
      }
      return Stopwatch.FEWEST_RUNS * flops / Pace.of(workbench);
    }
  }

  private List<Row> rows() {
    KernelRows kernels = new KernelRows(sizes);
    ModelRows models = new ModelRows(sizes, kernels);
    List<Row> rows = new ArrayList<>(kernels.rows());
    if (options.backend() == null) {
      rows.addAll(models.rows());
    } else {
      rows.addAll(models.layersAndStep());
      // The goals are the CPU's.
      rows.replaceAll(row -> new Row(row.name(), row.roof(), List.of(), row.opening()));
    }
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
    IntFunction<Backend> backend = options.backend();
    if (backend != null) {
      return runOn(backend, rows, listener);
    }
    try (CpuRoof roof = new CpuRoof(options.threads(), sizes.streamedBytes());
        Workbench workbench = new Workbench(options.threads(), CpuBackend::new)) {
      listener.measuring("the roofs");
      Roofs roofs = Roofs.measure(roof, effort);
      return report(roofs, null, measure(rows, workbench, new Ceiling.Measured(roof), listener));
    }
  }

  private Report runOn(IntFunction<Backend> backend, List<Row> rows, Listener listener) {
    try (Workbench workbench = new Workbench(options.threads(), backend)) {
      String device = workbench.backend().device();
      DType products = workbench.backend().products();
      Roofs roofs = Card.named(device).map(card -> card.roofs(products)).orElse(Roofs.UNKNOWN);
      return report(roofs, device, measure(rows, workbench, new Ceiling.Stated(roofs), listener));
    }
  }

  private Report report(Roofs roofs, @Nullable String device, List<RowResult> results) {
    Peer peer = options.peer();
    return new Report(LocalDate.now(ZoneOffset.UTC).toString(), set(), Machine.here(options.threads()), device, roofs,
        peer == null ? null : peer.name(), results);
  }

  private List<RowResult> measure(List<Row> rows, Workbench workbench, Ceiling ceiling, Listener listener) {
    List<RowResult> results = new ArrayList<>();
    for (Row row : rows) {
      listener.measuring(row.name());
      RowResult result = measure(row, workbench, ceiling);
      listener.measured(result);
      results.add(result);
    }
    return results;
  }

  /** What was measured, in words. */
  private String set() {
    String filter = options.filter().pattern();
    return filter.isEmpty() ? sizes.name() : "%s, only what matches `%s`".formatted(sizes.name(), filter);
  }

  private RowResult measure(Row row, Workbench workbench, Ceiling ceiling) {
    try (Setup setup = row.opening().open(workbench)) {
      Measurement measurement = new Measurement(row, setup);
      Setup.Comparison comparison = setup.comparison();
      Peer peer = options.peer();
      if (peer == null || comparison == null || !peer.does(comparison.task())) {
        return measurement.run(effort, ceiling, null);
      }
      try (Contender contender = peer.prepare(comparison.task(), comparison.inputs(),
          workbench.backend().products())) {
        double difference = compare(row, setup.subject(), peer.name(), contender);
        return measurement.run(effort, ceiling, new Measurement.Opponent(peer.name(), contender, difference));
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
