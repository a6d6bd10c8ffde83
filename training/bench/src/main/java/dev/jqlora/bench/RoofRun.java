package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import dev.jqlora.engine.graph.Cost;

/** Fused multiply-adds that wait for nothing, on a number of threads: what the machine itself makes of a second one. */
final class RoofRun implements Contender {
  private final CpuRoof roof;

  RoofRun(int threads) {
    roof = new CpuRoof(threads, 0);
  }

  /** Of a run, which all threads share alike; found by one. */
  Cost cost() {
    return new Cost(roof.multiplyAdds(), 0);
  }

  @Override
  public void run() {
    roof.multiplyAdds();
  }

  @Override
  public void close() {
    roof.close();
  }
}
