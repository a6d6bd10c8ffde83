package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import java.util.List;

/**
 * What the machine can do at most, as measured.
 *
 * @param multiplyAdd floating-point operations in a second, fused multiply-adds counted as two
 * @param read bytes in a second, streamed
 * @param triad bytes in a second of {@code a = b + s · c}, counting each array once
 */
public record Roofs(double multiplyAdd, double read, double triad) {
  /** Of a device that nobody knows. */
  static final Roofs UNKNOWN = new Roofs(0, 0, 0);

  static Roofs measure(CpuRoof roof, Effort effort) {
    double[] work = new double[3];
    List<Times> times = new Stopwatch(effort).measure(List.of(() -> work[0] = roof.multiplyAdds(),
        () -> work[1] = roof.read(), () -> work[2] = roof.triad()));
    return new Roofs(work[0] / times.get(0).seconds(), work[1] / times.get(1).seconds(),
        work[2] / times.get(2).seconds());
  }
}
