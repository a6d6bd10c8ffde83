package dev.jqlora.cli;

import dev.jqlora.bench.Bench;
import dev.jqlora.bench.Peer;
import dev.jqlora.bench.Report;
import dev.jqlora.bench.ReportText;
import dev.jqlora.bench.RowResult;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.AtomicFile;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import java.util.function.IntFunction;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a backend: the CPU's in full, any other by kernels, layers and a training step. */
@Command(name = "bench", description = "Measure kernels, layers, decoding, against roofs and PyTorch.", footer = {
    "", "Every row is measured in turn with what it is compared with and with the machine's roof, so run it on an",
    "otherwise idle machine. The whole set takes up to 8 GB (12 with --peers), --quick 3.",
    "--peers needs PyTorch's libraries or, with --backend cuda, JCuda's for cuBLAS; this builds them in, once:",
    "  mvn -q -Ppeers -Dquick -DskipTests package", "", "Examples:", "  jqlora bench --quick",
    "  jqlora bench --filter \"matmul|nf4\"",
    "  jqlora bench --backend cuda --json cuda.json --markdown cuda.md",
    "  jqlora bench --peers --json docs/benchmarks.json --markdown docs/benchmarks.md"})
final class BenchCommand implements Runnable {
  @Option(names = "--filter", paramLabel = "REGEX", defaultValue = "", description = "Measure only what has this in its name.")
  private String filter;

  @Option(names = "--backend", paramLabel = "NAME", defaultValue = Backends.CPU, description = "What is measured (default: ${DEFAULT-VALUE}). The roofs of another are what its maker states, where it is a known card.")
  private String backend;

  @Option(names = "--list", description = "List the names and measure nothing.")
  private boolean list;

  @Option(names = "--quick", description = "A smaller set and fewer runs: 8B shapes, one layer for the stack, a quarter of the head.")
  private boolean quick;

  @Option(names = "--tiny", description = "Shapes that say nothing about speed: to see that everything runs.")
  private boolean tiny;

  @Option(names = "--threads", paramLabel = "N", description = "Threads that compute (default: all processors).")
  private @Nullable Integer threads;

  @Option(names = "--peers", description = "Compare with PyTorch, or with --backend cuda products with cuBLAS, where they were built in.")
  private boolean peers;

  @Option(names = "--layers", paramLabel = "N", description = "Layers of the stack that a training step, prefill and evaluation are measured on (default: 4, or 1 with --quick).")
  private @Nullable Integer layers;

  @Option(names = "--checkpoint-layers", paramLabel = "N", description = "Layers of the checkpoint that is loaded, 436 MB each (default: 4, or 1 with --quick).")
  private @Nullable Integer checkpointLayers;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the results there.")
  private @Nullable Path json;

  @Option(names = "--markdown", paramLabel = "FILE", description = "Write the page of results there.")
  private @Nullable Path markdown;

  @Option(names = "--from", paramLabel = "FILE", description = "Measure nothing; read the results that --json wrote.")
  private @Nullable Path from;

  @Spec
  private CommandSpec command;

  @Override
  public void run() {
    if (from != null) {
      write(Report.read(from));
      return;
    }
    requireFolder("--json", json);
    requireFolder("--markdown", markdown);
    if (!peers) {
      measure(null);
      return;
    }
    try (Peer peer = Peers.load(backend)) {
      measure(opened(peer));
    }
  }

  /** Null where its library is not installed: the rest is measured all the same. */
  private @Nullable Peer opened(Peer peer) {
    try {
      peer.open(threads());
      return peer;
    } catch (JqloraException e) {
      command.commandLine().getErr().println("without --peers: " + e.getMessage());
      return null;
    }
  }

  private void measure(@Nullable Peer peer) {
    Bench bench = new Bench(new Bench.Options(extent(), measured(), threads(), pattern(), count("--layers", layers),
        count("--checkpoint-layers", checkpointLayers), peer));
    if (list) {
      bench.names().forEach(out()::println);
      return;
    }
    out().println(ReportText.heading());
    try (StatusLine status = new StatusLine(command.commandLine().getErr())) {
      write(bench.run(new Bench.Listener() {
        @Override
        public void measuring(String row) {
          status.show("measuring " + row);
        }

        @Override
        public void measured(RowResult result) {
          status.close();
          out().println(ReportText.line(result));
          out().flush();
        }
      }));
    }
  }

  private Bench.Extent extent() {
    if (tiny) {
      return Bench.Extent.TINY;
    }
    return quick ? Bench.Extent.QUICK : Bench.Extent.FULL;
  }

  /** Null for the CPU, which {@link Bench} measures of itself. */
  private @Nullable IntFunction<Backend> measured() {
    if (backend.equals(Backends.CPU)) {
      return null;
    }
    return backend.equals(Backends.AUTO)
        ? count -> Backends.open(backend, count, command.commandLine().getErr())
        : Backends.named(backend)::create;
  }

  private void write(Report report) {
    if (json != null) {
      AtomicFile.write(json, report.toJson());
    }
    if (markdown != null) {
      AtomicFile.write(markdown, ReportText.markdown(report));
    }
    if (from != null) {
      out().println(ReportText.heading());
      report.rows().forEach(row -> out().println(ReportText.line(row)));
    }
    out().println(ReportText.summary(report));
    out().flush();
  }

  /** What was measured must not be lost to a misspelt path. */
  private static void requireFolder(String option, @Nullable Path file) {
    if (file == null) {
      return;
    }
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isWritable(folder) || Files.isDirectory(file)) {
      throw new JqloraException(Kind.USAGE,
          "%s: %s cannot be written; expected a file in a folder that is there".formatted(option, file));
    }
  }

  private int threads() {
    return BackendOptions.threads(threads);
  }

  private static OptionalInt count(String option, @Nullable Integer value) {
    if (value == null) {
      return OptionalInt.empty();
    }
    if (value < 1) {
      throw new JqloraException(Kind.USAGE, "%s is %d; expected at least 1".formatted(option, value));
    }
    return OptionalInt.of(value);
  }

  private Pattern pattern() {
    try {
      return Pattern.compile(filter);
    } catch (PatternSyntaxException e) {
      throw new JqloraException(Kind.USAGE,
          "--filter is %s; expected a regular expression (%s)".formatted(filter, e.getDescription()), e);
    }
  }

  private PrintWriter out() {
    return command.commandLine().getOut();
  }
}
