package dev.jqlora.engine.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/** The processor that this backend computes on. */
public final class Processor {
  private Processor() {}

  /** The model's name where the system tells it (Linux on x86-64), else the instruction set. */
  public static String model() {
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
}
