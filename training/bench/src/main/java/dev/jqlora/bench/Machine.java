package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import dev.jqlora.engine.cpu.Processor;
import java.lang.management.ManagementFactory;

/**
 * What a run was measured on.
 *
 * @param threads that computed
 */
public record Machine(String processor, int processors, int threads, int vectorBits, long memoryBytes, String java,
    String system) {
  /** This one. */
  static Machine here(int threads) {
    return new Machine(Processor.model(), Runtime.getRuntime().availableProcessors(), threads, CpuRoof.vectorBits(),
        memory(),
        "%s %s".formatted(System.getProperty("java.vm.name"), System.getProperty("java.vm.version")),
        "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")));
  }

  private static long memory() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : 0;
  }
}
