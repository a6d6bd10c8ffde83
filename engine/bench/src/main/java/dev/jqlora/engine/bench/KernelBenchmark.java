package dev.jqlora.engine.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.cpu.CpuRoof;
import dev.jqlora.engine.cpu.Processor;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Times each kernel on the shapes of real models that its cases name. Beside the runs per second stand, from the op's
 * cost, the gigabytes per second that it must move at least and the arithmetic in gigaflops per second; and, apart from the
 * runs, the seconds that the backend took to compile the kernel.
 *
 * <pre>
 * mvn -pl engine/bench -am package -DskipTests
 * java --add-modules jdk.incubator.vector -jar engine/bench/target/jqlora-engine-bench.jar 'RmsNorm.*8B' [JMH options]
 * </pre>
 *
 * Among the options may be {@code -p backend=tornado}, or {@code cpu,tornado}; docs/tornadovm.md has Java's options for it.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
public class KernelBenchmark {
  /** System property of the measuring JVM: what is measured on, and when. */
  static final String MACHINE = "jqlora.bench.machine";

  /** Which shape: {@link #main} fills this in. */
  @Param("")
  public String shape = "";

  /** What computes, by its name. */
  @Param("cpu")
  public String backend = "";

  /** Threads of the backend; 0 means one for each processor. */
  @Param("0")
  public int threads;

  private @Nullable KernelRun run;

  /** The work of an iteration; JMH divides it by the seconds. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Work {
    public double gigabytes;
    public double gigaflops;

    @Setup(Level.Iteration)
    public void clear() {
      gigabytes = 0;
      gigaflops = 0;
    }
  }

  /** What was done before all iterations. JMH adds up what they tell, so each tells its share. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Preparation {
    public double compileSeconds;
    private int iterations;

    @Setup(Level.Iteration)
    public void count(IterationParams iteration) {
      iterations = iteration.getCount();
    }
  }

  @Setup
  public void open() {
    int count = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    run = new KernelRun(create(backend, count),
        Objects.requireNonNull(KernelRun.shapes().get(shape), () -> "no shape is named " + shape));
  }

  private static Backend create(String name, int threads) {
    BackendProvider provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
        .filter(candidate -> candidate.name().equals(name)).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("backend " + name + " is not built in"));
    if (!provider.unavailable().isEmpty()) {
      throw new IllegalStateException(provider.unavailable());
    }
    return provider.create(threads);
  }

  @Benchmark
  public void kernel(Work work, Preparation preparation) {
    KernelRun current = Objects.requireNonNull(run);
    current.run();
    work.gigabytes += current.cost().bytes() * 1e-9;
    work.gigaflops += current.cost().flops() * 1e-9;
    preparation.compileSeconds = current.compileSeconds() / preparation.iterations;
  }

  @TearDown
  public void close() {
    Objects.requireNonNull(run).close();
  }

  /** @param args a regular expression that is sought in the names of the shapes, then options of JMH */
  public static void main(String[] args) throws RunnerException, CommandLineOptionException {
    Pattern pattern = Pattern.compile(args.length == 0 ? "" : args[0]);
    String[] shapes = KernelRun.shapes().keySet().stream().filter(pattern.asPredicate()).toArray(String[]::new);
    if (shapes.length == 0) {
      throw new IllegalArgumentException("no shape matches " + pattern + "; there are " + KernelRun.shapes().keySet());
    }
    String[] options = args.length == 0 ? args : Arrays.copyOfRange(args, 1, args.length);
    new Runner(new OptionsBuilder().parent(new CommandLineOptions(options)).include(KernelBenchmark.class.getName())
        .param("shape", shapes).jvmArgsAppend("-D%s=%s".formatted(MACHINE, machine())).build()).run();
  }

  /** In words, with the date: JMH's results keep the arguments of the JVM, but do not say where they come from. */
  private static String machine() {
    return "%s on %s, %d processors, vectors of %d bits".formatted(LocalDate.now(ZoneOffset.UTC), Processor.model(),
        Runtime.getRuntime().availableProcessors(), CpuRoof.vectorBits());
  }
}
