package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * What the assembler makes of the PTX for a generation of GPUs: registers, shared memory and occupancy of each kernel as in
 * the table in {@code src/test/resources/kernel-resources.txt}, and nothing spilled. With {@code -Djqlora.ptx=write} the table is
 * written, of PTX that is made anew first.
 */
class NvccTest {
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");

  private static final Path TABLE = KernelSources.MODULE.resolve("src/test/resources/kernel-resources.txt");
  private static final Path PTX = KernelSources.MODULE.resolve("src/main/resources/dev/jqlora/engine/cuda/ptx");
  private static final List<String> TARGETS = List.of("sm_80", "sm_86", "sm_89", "sm_90");
  private static final Pattern KERNEL = Pattern.compile(
      "Compiling entry function '(\\w+)' for '(\\w+)'(?s:.*?)(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+)"
          + " bytes spill loads(?s:.*?)Used (\\d+) registers([^\\n]*)");

  /** What a kernel's launch bounds state of its threads. */
  private static final Pattern THREADS = Pattern.compile("\\.entry (\\w+)\\([^{]*?\\.maxntid (\\d+)");

  @BeforeAll
  static void renewThePtx() {
    PtxTest.renew();
  }

  @Test
  void noKernelSpillsAndResourcesAreThoseOfTheTable() throws IOException {
    assumeTrue(KernelSources.have("ptxas"), "there is no ptxas to assemble the kernels with: skipped");
    TreeMap<String, String> rows = new TreeMap<>();
    List<String> spilled = new ArrayList<>();
    List<String> alone = new ArrayList<>();
    Map<String, Integer> threads = new HashMap<>();
    for (Path ptx : KernelSources.list(PTX, ".ptx")) {
      THREADS.matcher(KernelSources.read(ptx)).results()
          .forEach(kernel -> threads.put(kernel.group(1), Integer.valueOf(kernel.group(2))));
    }
    KernelSources.list(PTX, ".ptx").parallelStream().map(NvccTest::assemble).forEachOrdered(report -> {
      Matcher kernel = KERNEL.matcher(report);
      while (kernel.find()) {
        String name = kernel.group(1) + " " + kernel.group(2);
        String shared = SHARED.matcher(kernel.group(7)).results().map(match -> match.group(1)).findFirst().orElse("0");
        int ofBlock = Objects.requireNonNull(threads.get(kernel.group(1)), name);
        Multiprocessor processor = Objects.requireNonNull(Multiprocessor.BY_TARGET.get(kernel.group(2)), name);
        int blocks = processor.residentBlocks(ofBlock, Integer.parseInt(kernel.group(6)), Integer.parseInt(shared));
        rows.put(name,
            "%s: %s registers, %s bytes of shared memory, %d blocks of %d threads, occupancy %d %%".formatted(
                name, kernel.group(6), shared, blocks, ofBlock, processor.occupancy(ofBlock, blocks)));
        if (blocks < 2) {
          alone.add(name);
        }
        if (!kernel.group(4).equals("0") || !kernel.group(5).equals("0")) {
          spilled.add(name);
        }
      }
    });
    assertEquals(List.of(), spilled, "kernels that spill registers");
    assertEquals(List.of(), alone, "kernels of which a multiprocessor holds one block, and waits when that waits");
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
