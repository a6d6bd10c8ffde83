package dev.jqlora.engine.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Keeps {@code docs/benchmarks-kernels.md} equal to JMH's results beside it. A stale page is written anew by running this test
 * with {@code -Djqlora.docs=write}.
 */
class KernelPageTest {
  private static final Path DOCS = Path.of(System.getProperty("jqlora.root", "../.."), "docs");
  private static final Path RESULTS = DOCS.resolve("benchmarks-kernels.json");
  private static final Path PAGE = DOCS.resolve("benchmarks-kernels.md");
  /** The shapes of the page: each kernel once at the least, on Llama-3-8B where it has such a shape. */
  private static final String SHAPES = "8B|: 16 layers|CrossEntropy";

  private static final String HEAD = """
      # Kernels, one by one

      Measured %s, with %s, %s %s, JMH %s: forks %d, then %d iterations to warm up and %d of %s each. ± is half of the 99.9 %%
      confidence interval as a share of the rate. Bytes are those that a run must move at least, as the op's cost counts
      them; operands that stay in a cache may exceed what memory gives. The machine's roofs, and what is compared with
      PyTorch, stand in [benchmarks.md](benchmarks.md).

      This page is generated from `docs/benchmarks-kernels.json`; a test fails when it is stale. On an idle machine,

          mvn -q -pl engine/bench -am -Dquick package -DskipTests
          java --add-modules jdk.incubator.vector -jar engine/bench/target/jqlora-engine-bench.jar \\
            '%s' -rf json -rff docs/benchmarks-kernels.json
          mvn -q -pl engine/bench -am -Dquick test -Dtest=KernelPageTest -Dsurefire.failIfNoSpecifiedTests=false \\
            -Djqlora.docs=write

      measures anew and writes it; JMH's `-p threads=1` computes with one thread.

      | kernel | shape | a run | ± | GB/s | GFLOP/s |
      | --- | --- | ---: | ---: | ---: | ---: |
      """;

  @Test
  void thePageIsThatOfTheResults() throws IOException {
    Assumptions.assumeTrue(Files.exists(RESULTS), () -> "skipped: there is no " + RESULTS);
    String expected = page(new JsonMapper().readTree(Files.readString(RESULTS)));
    if ("write".equals(System.getProperty("jqlora.docs"))) {
      Files.writeString(PAGE, expected);
    }
    assertEquals(expected, Files.readString(PAGE), PAGE + " is stale; its head says how to write it anew");
  }

  @Test
  void everyKernelIsOnThePage() {
    Set<String> kernels = new TreeSet<>();
    Set<String> shown = new TreeSet<>();
    KernelRun.shapes().keySet().forEach(name -> {
      kernels.add(kernel(name));
      if (Pattern.compile(SHAPES).matcher(name).find()) {
        shown.add(kernel(name));
      }
    });
    assertEquals(kernels, shown);
  }

  @Test
  void aResultIsALine() throws IOException {
    String page = page(new JsonMapper().readTree(
        """
            [{"jmhVersion": "1.37", "forks": 1, "vmName": "VM", "vmVersion": "25", "warmupIterations": 4,
              "measurementIterations": 5, "measurementTime": "500 ms", "jvmArgs": ["-Djqlora.bench.machine=2026-01-31 on it"],
              "params": {"shape": "RmsNorm: of a model", "threads": "1"},
              "primaryMetric": {"score": 500.0, "scoreError": 25.0},
              "secondaryMetrics": {"gigabytes": {"score": 33.333}, "gigaflops": {"score": 12.345}}}]
            """));
    assertTrue(page.contains("Measured 2026-01-31 on it, with one thread, VM 25, JMH 1.37: forks 1, then 4 iterations"),
        page);
    assertTrue(page.endsWith("| RmsNorm | of a model | 2.000 ms | 5.0 % | 33.33 | 12.3 |\n"), page);
  }

  private static String page(JsonNode results) {
    JsonNode first = results.get(0);
    String machine = StreamSupport.stream(first.get("jvmArgs").spliterator(), false).map(JsonNode::asText)
        .filter(argument -> argument.startsWith("-D" + KernelBenchmark.MACHINE + "="))
        .map(argument -> argument.substring(argument.indexOf('=') + 1)).findFirst().orElseThrow();
    int threads = first.get("params").get("threads").asInt();
    String workers = threads == 0 ? "a thread for each" : threads == 1 ? "one thread" : threads + " threads";
    StringBuilder page = new StringBuilder(HEAD.formatted(machine, workers, first.get("vmName").asText(),
        first.get("vmVersion").asText(), first.get("jmhVersion").asText(), first.get("forks").asInt(),
        first.get("warmupIterations").asInt(), first.get("measurementIterations").asInt(),
        first.get("measurementTime").asText(), SHAPES));
    TreeMap<String, JsonNode> byShape = new TreeMap<>();
    results.forEach(result -> byShape.put(result.get("params").get("shape").asText(), result));
    byShape.forEach((name, result) -> page.append(line(name, result)));
    return page.toString();
  }

  private static String line(String name, JsonNode result) {
    double rate = result.get("primaryMetric").get("score").asDouble();
    double error = result.get("primaryMetric").get("scoreError").asDouble();
    JsonNode work = result.get("secondaryMetrics");
    return String.format(Locale.ROOT, "| %s | %s | %.3f ms | %.1f %% | %.2f | %.1f |%n", kernel(name),
        name.substring(name.indexOf(':') + 2), 1e3 / rate, 100 * error / rate,
        work.get("gigabytes").get("score").asDouble(), work.get("gigaflops").get("score").asDouble());
  }

  private static String kernel(String name) {
    return name.substring(0, name.indexOf(':'));
  }
}
