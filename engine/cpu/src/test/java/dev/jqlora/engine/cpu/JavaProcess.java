package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A Java of its own, for what is true of a whole process: what was compiled, what is allowed. */
final class JavaProcess {
  /** Vectors as wide as here. */
  static final String SAME_VECTORS = "-Djqlora.cpu.vectorBits=" + VectorWidth.LANES * Float.SIZE;

  private JavaProcess() {}

  /** Runs a program with these tests' classes, which must end well; returns the lines that it printed. */
  static List<String> run(Class<?> program, String... options) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(
        List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-modules=jdk.incubator.vector", "-cp", System.getProperty("java.class.path")));
    command.addAll(List.of(options));
    command.add(program.getName());
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines;
    try (var output = process.inputReader(StandardCharsets.UTF_8)) {
      lines = output.lines().toList();
    }
    assertEquals(0, process.waitFor(), () -> String.join("\n", lines));
    return lines;
  }
}
