package dev.jqlora.engine.backend;

import dev.jqlora.engine.graph.Op;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the runs of programs took and moved, in sum by program, and what their kernels took by op. For one thread at a time. */
public final class Profile {
  /**
   * Runs of the programs of one name. Counts that the backend does not keep are 0.
   *
   * @param nanoseconds from the call to the return, what compiling took left out
   * @param kernels launches of kernels
   * @param kernelNanoseconds in which kernels ran
   * @param compilerNanoseconds in which kernels were compiled for the device's driver
   * @param driverNanoseconds in which the driver compiled them
   * @param bytesIn from the host to the device
   * @param bytesOut from the device to the host
   */
  public record Runs(long count, long nanoseconds, long kernels, long kernelNanoseconds, long compilerNanoseconds,
      long driverNanoseconds, long bytesIn, long bytesOut) {
    Runs plus(Runs other) {
      return new Runs(count + other.count, nanoseconds + other.nanoseconds, kernels + other.kernels,
          kernelNanoseconds + other.kernelNanoseconds, compilerNanoseconds + other.compilerNanoseconds,
          driverNanoseconds + other.driverNanoseconds, bytesIn + other.bytesIn, bytesOut + other.bytesOut);
    }
  }

  /** Launches of an op's kernel. */
  public record Kernels(long count, long nanoseconds) {
    Kernels plus(Kernels other) {
      return new Kernels(count + other.count, nanoseconds + other.nanoseconds);
    }
  }

  private final Map<String, Runs> programs = new LinkedHashMap<>();
  private final Map<String, Kernels> ops = new LinkedHashMap<>();

  /** By the program's name, in the order in which they first ran. */
  public Map<String, Runs> programs() {
    return Collections.unmodifiableMap(programs);
  }

  /** By the op's name; empty where the backend does not time its kernels one by one. */
  public Map<String, Kernels> ops() {
    return Collections.unmodifiableMap(ops);
  }

  /** Begins a run of a program. */
  Run begin(String program) {
    return new Run(program);
  }

  /** One run, which is told what it does and counts once it has ended. */
  public final class Run {
    private final String program;
    private final long begin = System.nanoTime();
    private Runs told = new Runs(1, 0, 0, 0, 0, 0, 0, 0);

    private Run(String program) {
      this.program = program;
    }

    /** One kernel of an op has run. */
    public void kernel(Op op, long nanoseconds) {
      kernels(1, nanoseconds);
      ops.merge(op.name(), new Kernels(1, nanoseconds), Kernels::plus);
    }

    /** Kernels have run that the backend times together. */
    public void kernels(long count, long nanoseconds) {
      told = told.plus(new Runs(0, 0, count, nanoseconds, 0, 0, 0, 0));
    }

    /** Kernels were compiled; see {@link Runs}. */
    public void compiled(long compilerNanoseconds, long driverNanoseconds) {
      told = told.plus(new Runs(0, 0, 0, 0, compilerNanoseconds, driverNanoseconds, 0, 0));
    }

    public void moved(long bytesIn, long bytesOut) {
      told = told.plus(new Runs(0, 0, 0, 0, 0, 0, bytesIn, bytesOut));
    }

    void end() {
      long nanoseconds = System.nanoTime() - begin - told.compilerNanoseconds - told.driverNanoseconds;
      programs.merge(program, told.plus(new Runs(0, nanoseconds, 0, 0, 0, 0, 0, 0)), Runs::plus);
    }
  }
}
