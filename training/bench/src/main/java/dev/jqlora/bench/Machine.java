package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * What a run was measured on.
 *
 * @param threads that computed
 */
public record Machine(String processor, int processors, int threads, int vectorBits, long memoryBytes, String java,
    String system) {
  /** This one. */
  static Machine here(int threads) {
    return new Machine(model(), Runtime.getRuntime().availableProcessors(), threads, CpuRoof.vectorBits(), memory(),
        "%s %s".formatted(System.getProperty("java.vm.name"), System.getProperty("java.vm.version")),
        "%s %s".formatted(System.getProperty("os.name"), System.getProperty("os.arch")));
  }

  /** The model's name where the system tells it, else the instruction set. */
  private static String model() {
    Path file = Path.of("/proc/cpuinfo");
    String unknown = System.getProperty("os.arch", "unknown");
    if (!Files.isReadable(file)) {
      return unknown;
    }
    try (Stream<String> lines = Files.lines(file)) {
      return lines.filter(line -> line.startsWith("model name")).findFirst()
          .map(line -> line.substring(line.indexOf(':') + 1).strip()).orElse(unknown);
    } catch (IOException _) {
      return unknown;
    }
  }

  private static long memory() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system
        ? system.getTotalMemorySize()
        : 0;
  }
}
