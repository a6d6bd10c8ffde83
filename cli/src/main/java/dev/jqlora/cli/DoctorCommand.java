package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.bench.Bench;
import dev.jqlora.bench.Report;
import dev.jqlora.bench.ReportText;
import dev.jqlora.bench.RowResult;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Conformance;
import dev.jqlora.engine.testkit.NullBackend;
import dev.jqlora.llama.config.LlamaConfig;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Finds out whether a backend computes rightly on the machine at hand, and how fast. */
@Command(name = "doctor", description = "Check a backend on this machine: every op, training, speed; write a report.", footer = {
    "", "Runs every case of every op, trains the demo's small model beside the float64 interpreter and beside the CPU,",
    "and measures. It fetches nothing. report.md and report.json in the folder say what was found; the exit code",
    "says whether all is well.", "", "Examples:", "  jqlora doctor --backend cuda",
    "  jqlora doctor --backend cpu --quick"})
final class DoctorCommand implements Runnable {
  private static final int MOST_FAILURES_SHOWN = 20;
  private static final double MOST_BENCHMARK_MINUTES = 10;

  @Spec
  private CommandSpec command;

  @Option(names = "--backend", paramLabel = "NAME", description = "What is looked at: cuda, tornado, cpu, or auto (default: auto).")
  private @Nullable String backend;

  @Option(names = "--threads", paramLabel = "N", description = "Threads of the CPU (default: all processors).")
  private @Nullable Integer threads;

  @Option(names = "--data", paramLabel = "DIR", description = "Compare with PyTorch's figures in this folder, too: a model in stories260K, what it gives in golden.")
  private @Nullable Path data;

  @Option(names = "--out", paramLabel = "DIR", description = "The folder of the report and of what it trains (default: ${DEFAULT-VALUE}).")
  private Path folder = Path.of("doctor");

  @Option(names = "--quick", description = "Train for fewer steps and measure shapes that say nothing about speed: to see that everything runs.")
  private boolean quick;

  @Override
  public void run() {
    int count = threads == null ? BackendOptions.allProcessors() : threads;
    if (count < 1) {
      throw new JqloraException(Kind.USAGE, "--threads is %d; expected at least 1".formatted(count));
    }
    BackendProvider provider;
    DoctorReport report;
    List<Finding> findings = new ArrayList<>();
    try (Backend opened = Backends.open(backend, count, command.commandLine().getErr())) {
      provider = Backends.named(opened.name());
      report = new DoctorReport(opened.name(), opened.device(), opened.gpu(), findings);
    }
    say("%s: %s", report.backend(), report.device());
    examine(findings, "conformance", () -> conformance(provider, count));
    if (data != null) {
      Path goldens = data;
      examine(findings, "PyTorch's figures", () -> {
        try (Backend opened = provider.create(count)) {
          return new Goldens(goldens, folder.resolve("goldens")).check(opened, JsonNodeFactory.instance.objectNode());
        }
      });
    }
    train(findings, provider, count);
    examine(findings, "benchmark", () -> benchmark(provider, count));
    report.write(folder);
    say("%s and %s have it all", folder.resolve(DoctorReport.PAGE), DoctorReport.JSON);
    if (!report.failed().isEmpty()) {
      throw new JqloraException(Kind.BACKEND, "backend %s failed in: %s; %s says how".formatted(report.backend(),
          String.join(", ", report.failed()), folder.resolve(DoctorReport.PAGE)));
    }
  }

  private void examine(List<Finding> findings, String section, Finding.Examination examination) {
    Finding finding;
    try (StatusLine status = new StatusLine(command.commandLine().getErr())) {
      status.show(section);
      finding = Finding.of(section, examination);
    }
    findings.add(finding);
    say("%-20s %s (%.1f s): %s", section, finding.verdict(), finding.seconds(), finding.summary());
  }

  private static Finding.Result conformance(BackendProvider provider, int threads) {
    List<String> wrong = new ArrayList<>();
    ObjectNode figures = JsonNodeFactory.instance.objectNode();
    try (Backend backend = provider.create(threads)) {
      Conformance conformance = new Conformance(backend);
      boolean rounds = backend.products() == DType.BF16;
      for (Map.Entry<String, CaseList> op : CaseCatalogue.all().entrySet()) {
        CaseList list = rounds ? op.getValue().ofBf16Products() : op.getValue();
        for (CaseList.Case sample : list.cases()) {
          try {
            conformance.run(op.getKey(), sample, run -> run.check(list));
          } catch (JqloraException | AssertionError e) {
            wrong.add("%s, %s: %s".formatted(op.getKey(), sample.name(), e.getMessage()));
          }
        }
      }
      figures.put("cases", conformance.cases()).put("failures", wrong.size());
      conformance.unsupported().forEach(figures.putArray("unsupported")::add);
      if (conformance.cases() == 0) {
        wrong.add("no case could be run");
      }
      String details = wrong.stream().limit(MOST_FAILURES_SHOWN).map("- %s%n"::formatted).reduce("", String::concat);
      return new Finding.Result(wrong.isEmpty(), wrong.isEmpty()
          ? conformance.text()
          : "%d of %d cases are wrong, the first: %s".formatted(wrong.size(), conformance.cases(), wrong.getFirst()),
          details, figures);
    }
  }

  private void train(List<Finding> findings, BackendProvider provider, int threads) {
    SmallRuns[] prepared = new SmallRuns[1];
    examine(findings, "data and model", () -> {
      prepared[0] = new SmallRuns(folder.resolve("runs"));
      return new Finding.Result(true, "a small Llama and its text are made", "", JsonNodeFactory.instance.objectNode());
    });
    SmallRuns runs = prepared[0];
    if (runs == null) {
      return;
    }
    // Against the CPU; the CPU itself against one thread of it, to the bit.
    boolean isCpu = provider.name().equals(Backends.CPU);
    BackendProvider cpu = Backends.named(Backends.CPU);
    SmallRuns.Length length = quick ? new SmallRuns.Length(4, 1, 32) : new SmallRuns.Length(12, 2, DemoFiles.WINDOW);
    String other = isCpu ? "one thread" : "the CPU";
    examine(findings, "full training", () -> compare(provider, threads, cpu, isCpu ? 1 : threads, other,
        new Training(backend -> runs.weights(backend, length), runs.model(), length, true)));
    examine(findings, "adapters on NF4", () -> compare(provider, threads, cpu, isCpu ? 1 : threads, other,
        new Training(backend -> runs.adapters(backend, length), runs.model(), length, false)));
    SmallRuns.Length few = new SmallRuns.Length(3, 1, 24);
    examine(findings, "float64 interpreter", () -> compare(provider, threads, Backends.named(Backends.REFERENCE), 1,
        "the interpreter", new Training(backend -> runs.adapters(backend, few), runs.model(), few, false)));
  }

  /**
   * A run to be repeated on another backend.
   *
   * @param mustFall whether the loss has to
   */
  private record Training(Function<Backend, TrainingCurve> on, LlamaConfig model, SmallRuns.Length length,
      boolean mustFall) {}

  private static Finding.Result compare(BackendProvider provider, int threads, BackendProvider otherProvider,
      int otherThreads, String otherName, Training training) {
    TrainingCurve curve;
    TrainingCurve other;
    Nearness near;
    try (Backend opened = provider.create(threads); Backend second = otherProvider.create(otherThreads)) {
      curve = training.on.apply(opened);
      other = training.on.apply(second);
      near = opened.name().equals(second.name())
          ? Nearness.EXACT
          : Nearness.of(opened, training.model, training.length.steps(), training.length.tokensOfStep());
    }
    double loss = curve.lossDifference(other);
    double norm = curve.normDifference(other);
    ObjectNode figures = JsonNodeFactory.instance.objectNode().put("loss_difference", loss).put("norm_difference",
        norm);
    curve.losses().forEach(figures.putArray("losses")::add);
    other.losses().forEach(figures.putArray("other_losses")::add);
    String text = String.format(Locale.ROOT, "loss from %.4f to %.4f in %d steps, losses within %.1e and norms "
        + "within %.1e of those of %s", curve.losses().getFirst(), curve.losses().getLast(), curve.losses().size(),
        loss, norm, otherName);
    List<String> wrong = new ArrayList<>();
    if (!near.allows(loss, norm)) {
      wrong.add(String.format(Locale.ROOT, "%s; expected within %.1e and %.1e", text, near.loss(), near.norm()));
    }
    if (training.mustFall && !curve.falls()) {
      wrong.add("the loss does not fall: " + curve.losses());
    }
    return Finding.Result.of(wrong, text, "", figures);
  }

  /** Of real shapes, unless none are wanted or the device, such as one made of software, would take too long for them. */
  private Finding.Result benchmark(BackendProvider provider, int threads) {
    if (quick) {
      return measure(bench(Bench.Extent.TINY, provider, threads), "shapes whose times say nothing; ");
    }
    Bench real = bench(Bench.Extent.QUICK, provider, threads);
    double minutes = provider.name().equals(Backends.CPU)
        ? 0
        : real.leastSeconds(new NullBackend((_, _, _) -> Support.NATIVE)) / 60;
    return minutes <= MOST_BENCHMARK_MINUTES
        ? measure(real, "")
        : measure(bench(Bench.Extent.TINY, provider, threads), String.format(Locale.ROOT,
            "real shapes would take %.0f minutes or more, so only that tiny ones run was seen; ", minutes));
  }

  private static Bench bench(Bench.Extent extent, BackendProvider provider, int threads) {
    return new Bench(new Bench.Options(extent, provider.name().equals(Backends.CPU) ? null : provider::create, threads,
        Pattern.compile(""), OptionalInt.empty(), OptionalInt.empty(), null));
  }

  /** @param note begins the summary */
  private static Finding.Result measure(Bench bench, String note) {
    Report report = bench.run(new Bench.Listener() {
      @Override
      public void measuring(String row) {}

      @Override
      public void measured(RowResult result) {}
    });
    return new Finding.Result(true, note + ReportText.summary(report).replaceAll("\\R", "; "),
        ReportText.table(report), report.toJsonNode());
  }

  private void say(String format, Object... values) {
    PrintWriter out = command.commandLine().getOut();
    out.println(String.format(Locale.ROOT, format, values));
    out.flush();
  }
}
