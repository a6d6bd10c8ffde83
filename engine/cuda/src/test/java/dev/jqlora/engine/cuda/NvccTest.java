package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * What the assembler makes of the PTX for a generation of GPUs: registers and shared memory of each kernel as in the table in
 * {@code src/test/resources/kernel-resources.txt}, and nothing spilled. With {@code -Djqlora.ptx=write} the table is written.
 */
class NvccTest {
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");

  private static final Path TABLE = KernelSources.MODULE.resolve("src/test/resources/kernel-resources.txt");
  private static final Path PTX = KernelSources.MODULE.resolve("src/main/resources/dev/jqlora/engine/cuda/ptx");
  private static final List<String> TARGETS = List.of("sm_80", "sm_86", "sm_89", "sm_90");
  private static final Pattern KERNEL = Pattern.compile(
      "Compiling entry function '(\\w+)' for '(\\w+)'(?s:.*?)(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+)"
          + " bytes spill loads(?s:.*?)Used (\\d+) registers([^\\n]*)");

  @Test
  void noKernelSpillsAndResourcesAreThoseOfTheTable() throws IOException {
    assumeTrue(KernelSources.have("ptxas"), "there is no ptxas to assemble the kernels with: skipped");
    TreeMap<String, String> rows = new TreeMap<>();
    List<String> spilled = new ArrayList<>();
    KernelSources.list(PTX, ".ptx").parallelStream().map(NvccTest::assemble).forEachOrdered(report -> {
      Matcher kernel = KERNEL.matcher(report);
      while (kernel.find()) {
        String name = kernel.group(1) + " " + kernel.group(2);
        String shared = SHARED.matcher(kernel.group(7)).results().map(match -> match.group(1)).findFirst().orElse("0");
        rows.put(name, "%s: %s registers, %s bytes of shared memory".formatted(name, kernel.group(6), shared));
        if (!kernel.group(4).equals("0") || !kernel.group(5).equals("0")) {
          spilled.add(name);
        }
      }
    });
    assertEquals(List.of(), spilled, "kernels that spill registers");
    assertTrue(rows.size() >= 4 * 30, "only " + rows.size() + " kernels were reported");
    String table = String.join("\n", rows.values()) + "\n";
    if ("write".equals(System.getProperty("jqlora.ptx"))) {
      Files.createDirectories(TABLE.getParent());
      Files.writeString(TABLE, table);
    }
    assertEquals(Files.readString(TABLE), table,
        "write the table anew with -Djqlora.ptx=write, and look at what changed");
  }

  private static String assemble(Path ptx) {
    try {
      StringBuilder report = new StringBuilder();
      for (String target : TARGETS) {
        Path cubin = Files.createTempFile("jqlora", ".cubin");
        report.append(KernelSources.run(List.of("ptxas", "-v", "-Werror", "-arch=" + target, ptx.toString(), "-o",
            cubin.toString())));
        Files.delete(cubin);
      }
      return report.toString();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
