package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.bench.Bench;
import dev.jqlora.bench.Report;
import dev.jqlora.bench.ReportText;
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
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Finds out whether a backend computes rightly on the machine at hand, and how fast. */
@Command(name = "doctor", description = "Check a backend on this machine: every op, training, speed; write a report.", footer = {
    "", "Runs every case of every op, trains the demo's small model beside the float64 interpreter and",
    "beside the CPU, and measures. It fetches nothing. report.md and report.json in the folder say what",
    "was found; the exit code says whether all is well.", "", "Examples:", "  jqlora doctor --backend cuda",
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

  /** A backend and how many threads it gets, to be opened for each section. */
  private record Choice(BackendProvider provider, int threads) {
    Backend open() {
      return provider.create(threads);
    }

    boolean isCpu() {
      return provider.name().equals(Backends.CPU);
    }
  }

  @Override
  public void run() {
    List<Finding> findings = new ArrayList<>();
    Choice choice;
    DoctorReport report;
    try (Backend opened = Backends.open(backend, BackendOptions.threads(threads), command.commandLine().getErr())) {
      choice = new Choice(Backends.named(opened.name()), BackendOptions.threads(threads));
      report = new DoctorReport(opened.name(), opened.device(), opened.gpu(), findings);
    }
    say("%s: %s", report.backend(), report.device());
    examine(findings, "conformance", () -> conformance(choice));
    if (data != null) {
      Path goldens = data;
      examine(findings, "PyTorch's figures", () -> {
        try (Backend opened = choice.open()) {
          return new Goldens(goldens, folder.resolve("goldens")).check(opened, JsonNodeFactory.instance.objectNode());
        }
      });
    }
    train(findings, choice);
    examine(findings, "benchmark", () -> benchmark(choice));
    report.write(folder);
    say("%s and %s have it all", folder.resolve(DoctorReport.PAGE), DoctorReport.JSON);
    if (!report.failed().isEmpty()) {
      throw new JqloraException(Kind.BACKEND, "backend %s failed in: %s; %s says how".formatted(report.backend(),
          String.join(", ", report.failed()), folder.resolve(DoctorReport.PAGE)));
    }
  }

  /** Returns whether the section passed. */
  private boolean examine(List<Finding> findings, String section, Finding.Examination examination) {
    Finding finding;
    try (StatusLine status = new StatusLine(command.commandLine().getErr())) {
      status.show(section);
      finding = Finding.of(section, examination);
    }
    findings.add(finding);
    say("%-20s %s (%.1f s): %s", section, finding.verdict(), finding.seconds(), finding.summary());
    return finding.passed();
  }

  private static Finding.Result conformance(Choice choice) {
    List<String> wrong = new ArrayList<>();
    ObjectNode figures = JsonNodeFactory.instance.objectNode();
    try (Backend backend = choice.open()) {
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

  private void train(List<Finding> findings, Choice choice) {
    SmallRuns runs = new SmallRuns(folder.resolve("runs"));
    boolean prepared = examine(findings, "data and model", () -> {
      runs.prepare();
      return new Finding.Result(true, "a small Llama and its text are made", "", JsonNodeFactory.instance.objectNode());
    });
    if (!prepared) {
      return;
    }
    // Against the CPU; the CPU itself against one thread of it, to the bit.
    Choice cpu = new Choice(Backends.named(Backends.CPU), choice.isCpu() ? 1 : choice.threads());
    String cpuName = choice.isCpu() ? "one thread" : "the CPU";
    SmallRuns.Length length = quick ? new SmallRuns.Length(4, 1, 32) : new SmallRuns.Length(12, 2, DemoFiles.WINDOW);
    examine(findings, "full training", () -> compare(choice, cpu, cpuName,
        new TrainingComparison(opened -> runs.weights(opened, length), runs.model(), length, true)));
    examine(findings, "adapters on NF4", () -> compare(choice, cpu, cpuName,
        new TrainingComparison(opened -> runs.adapters(opened, length), runs.model(), length, false)));
    Choice interpreter = new Choice(Backends.named(Backends.REFERENCE), 1);
    SmallRuns.Length few = new SmallRuns.Length(3, 1, 24);
    examine(findings, "float64 interpreter", () -> compare(choice, interpreter, "the interpreter",
        new TrainingComparison(opened -> runs.adapters(opened, few), runs.model(), few, false)));
  }

  private static Finding.Result compare(Choice choice, Choice other, String name, TrainingComparison comparison) {
    try (Backend opened = choice.open(); Backend second = other.open()) {
      return comparison.judge(opened, second, name);
    }
  }

  /** Of real shapes, unless none are wanted or the device, such as one made of software, would take too long for them. */
  private Finding.Result benchmark(Choice choice) {
    if (quick) {
      return measure(bench(Bench.Extent.TINY, choice), "shapes whose times say nothing; ");
    }
    Bench real = bench(Bench.Extent.QUICK, choice);
    double minutes = choice.isCpu() ? 0 : real.leastSeconds(new NullBackend((_, _, _) -> Support.NATIVE)) / 60;
    return minutes <= MOST_BENCHMARK_MINUTES
        ? measure(real, "")
        : measure(bench(Bench.Extent.TINY, choice), String.format(Locale.ROOT,
            "real shapes would take %.0f minutes or more, so only that tiny ones run was seen; ", minutes));
  }

  private static Bench bench(Bench.Extent extent, Choice choice) {
    return new Bench(new Bench.Options(extent, choice.isCpu() ? null : choice.provider()::create, choice.threads(),
        Pattern.compile(""), OptionalInt.empty(), OptionalInt.empty(), null));
  }

  /** @param note begins the summary */
  private static Finding.Result measure(Bench bench, String note) {
    Report report = bench.run(Bench.Listener.SILENT);
    return new Finding.Result(true, note + ReportText.summary(report).replaceAll("\\R", "; "),
        ReportText.table(report), report.toJsonNode());
  }

  private void say(String format, Object... values) {
    PrintWriter out = command.commandLine().getOut();
    out.println(String.format(Locale.ROOT, format, values));
    out.flush();
  }
}
