package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The PTX in the repository is that of its sources: by a digest anywhere, and to the letter where nvcc is. With
 * {@code -Djqlora.ptx=write} the test writes it anew.
 */
class PtxTest {
  private static final Path FOLDER = KernelSources.MODULE.resolve("src/main/resources/dev/jqlora/engine/cuda/ptx");
  private static final List<String> COMPILER = List.of("nvcc", "-ptx", "-arch=compute_80", "-std=c++17", "-O3",
      "-Werror", "all-warnings");
  private static final boolean WRITE = "write".equals(System.getProperty("jqlora.ptx"));

  private static Path ptx(Path source) {
    return FOLDER.resolve(KernelSources.stem(source) + ".ptx");
  }

  /** The first line of a PTX file, which names what it was made from. */
  private static String head(Path source) {
    return "// %s and what it includes, sha256 %s\n".formatted(source.getFileName(),
        KernelSources.digest(KernelSources.withIncludes(source), COMPILER.toString()));
  }

  private static String compile(Path source) throws IOException {
    Path target = Files.createTempFile("jqlora", ".ptx");
    try {
      List<String> command = new ArrayList<>(COMPILER);
      command.addAll(List.of(source.toString(), "-o", target.toString()));
      KernelSources.run(command);
      return head(source) + Files.readString(target);
    } finally {
      Files.delete(target);
    }
  }

  /** Where it is asked for, writes anew what is not made from its source: before any test that reads it. */
  static void renew() {
    if (WRITE) {
      KernelSources.files().parallelStream().filter(PtxTest::isStale).forEach(source -> {
        try {
          Files.createDirectories(FOLDER);
          Files.writeString(ptx(source), compile(source));
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      });
    }
  }

  private static boolean isStale(Path source) {
    return !Files.exists(ptx(source)) || !KernelSources.read(ptx(source)).startsWith(head(source));
  }

  @BeforeAll
  static void renewWhatIsStale() {
    renew();
  }

  @Test
  void eachFileIsMadeFromItsSource() {
    Set<Path> expected = new HashSet<>();
    for (Path source : KernelSources.files()) {
      String text = KernelSources.read(ptx(source));
      assertEquals(head(source), text.substring(0, text.indexOf('\n') + 1),
          ptx(source) + " is stale: with nvcc 13.0 at hand run this test with -Djqlora.ptx=write");
      expected.add(ptx(source));
    }
    assertEquals(expected, Set.copyOf(KernelSources.list(FOLDER, ".ptx")));
  }

  /** What the speed of these kernels rests on: products on tensor cores, of tiles that are copied while others are multiplied. */
  @ParameterizedTest
  @ValueSource(strings = {"nf4_linear", "nf4_linear_gradient", "nf4_lora_linear",
      "nf4_lora_linear_gradient", "mat_mul", "lora_linear", "causal_attention",
      "causal_attention_gradient", "cached_attention"})
  void kernelsOnTensorCoresHoldTheirInstructions(String name) {
    int found = 0;
    for (String kernel : KernelSources.read(FOLDER.resolve(name + ".ptx")).split("\\.entry ")) {
      String head = kernel.substring(0, kernel.indexOf('\n'));
      if (head.contains("_mma")) {
        found++;
        for (String instruction : List.of("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "ldmatrix.sync",
            "cp.async.cg.shared.global", "cp.async.wait_group")) {
          assertTrue(kernel.contains(instruction), head + " without " + instruction);
        }
      }
    }
    assertTrue(found > 0, "no kernels on tensor cores in " + name);
  }

  @Test
  void nvccMakesTheSameOfTheSources() throws IOException {
    assumeTrue(KernelSources.have("nvcc"), "there is no nvcc to compile the kernels with: skipped");
    String version = KernelSources.run(List.of("nvcc", "--version"));
    String builtBy = Pattern.compile("Cuda compilation tools, (.*)").matcher(version).results().findFirst()
        .orElseThrow().group(1).strip();
    assumeTrue(KernelSources.read(ptx(KernelSources.files().getFirst())).contains(builtBy),
        "nvcc is " + builtBy + " and not the one that made the PTX in the repository: skipped");
    List<String> differing = KernelSources.files().parallelStream().filter(source -> {
      try {
        return !KernelSources.read(ptx(source)).equals(compile(source));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }).map(source -> source.getFileName().toString()).toList();
    assertEquals(List.of(), differing, "their PTX differs from what nvcc makes of them");
  }
}
