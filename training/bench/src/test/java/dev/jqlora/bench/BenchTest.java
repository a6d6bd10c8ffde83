package dev.jqlora.bench;

import static dev.jqlora.bench.Bench.Listener.SILENT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.NullBackend;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BenchTest {
  private static final Effort SHORT = new Effort(3, 0, 0);
  private static final Sizes SIZES = Sizes.tiny();

  private static Bench bench(String filter, @Nullable Peer peer) {
    return new Bench(new Bench.Options(Bench.Extent.QUICK, null, 2, Pattern.compile(filter), OptionalInt.empty(),
        OptionalInt.empty(),
        peer), SIZES, SHORT);
  }

  @Test
  void everyRowRunsAndIsReported(@TempDir Path folder) throws Exception {
    Bench bench = bench("", null);
    List<String> measured = new ArrayList<>();
    Report report = bench.run(new Bench.Listener() {
      @Override
      public void measuring(String row) {}

      @Override
      public void measured(RowResult result) {
        measured.add(result.name());
      }
    });
    assertEquals(bench.names(), measured);
    assertEquals(measured.size(), new HashSet<>(measured).size(), "names are unique");
    for (String part : List.of("matmul NT", "matmul NN", "matmul TN", "nf4 linear forward",
        "nf4 linear input gradient", "attention forward + backward 8 tokens", "attention forward + backward 20 tokens",
        "head + cross-entropy", "RMSNorm", "RoPE", "SwiGLU", "8-bit AdamW", "decoder layer forward + backward",
        "prefill", "evaluation", "decode one token, NF4 tiny", "loading", "training step", "1 to 2 threads")) {
      assertTrue(measured.stream().anyMatch(name -> name.contains(part)), () -> "no " + part + " in " + measured);
    }
    for (RowResult row : report.rows()) {
      assertTrue(row.times().seconds() > 0 && row.flops() + row.bytes() > 0, row.toString());
      assertEquals(row.name().equals(KernelRows.MACHINE_SCALING), row.bytes() == 0, row.toString());
      assertEquals(row.roof() != Roof.NONE, row.roofShare() > 0, row.toString());
      row.goals().forEach(goal -> assertEquals(goal.goal().contains("peer"), goal.met() == null, row.toString()));
      assertTrue(ReportText.line(row).startsWith(row.name()));
    }
    Path json = folder.resolve("report.json");
    Files.writeString(json, report.toJson());
    assertEquals(report, Report.read(json));
    String page = ReportText.markdown(report);
    measured.forEach(name -> assertTrue(page.contains("| " + name + " |"), name));
    assertTrue(page.contains("the row of multiply-adds alone says"));
  }

  /** The reference interpreter stands for a device: no roofs, no goals, only what makes sense on any. */
  @Test
  void anotherBackendIsMeasuredByTheSameRows() {
    Report report = new Bench(new Bench.Options(Bench.Extent.TINY, _ -> new ReferenceBackend(), 1,
        Pattern.compile("nf4 linear forward 8 × 64|decoder layer forward 8|1 to 2|loading"), OptionalInt.empty(),
        OptionalInt.empty(), null)).run(SILENT);
    assertEquals(new ReferenceBackend().device(), report.device());
    assertEquals(List.of("nf4 linear forward 8 × 64 × 64", "nf4 linear forward 8 × 64 × 32",
        "nf4 linear forward 8 × 64 × 96", "decoder layer forward 8 tokens, NF4, LoRA 16"),
        report.rows().stream().map(RowResult::name).toList());
    report.rows().forEach(row -> assertTrue(row.times().seconds() > 0 && row.goals().isEmpty() && row.roofShare() == 0,
        row.toString()));
    assertTrue(ReportText.summary(report).endsWith("its roofs are not known"), ReportText.summary(report));
    assertTrue(ReportText.markdown(report).contains("| nf4 linear forward 8 × 64 × 96 |"));
  }

  /** On the interpreter tiny shapes are done soon, real ones not within hours. */
  @Test
  void whatWouldTakeTooLongIsForeseen() {
    assertTrue(leastSeconds(Bench.Extent.TINY) < 60, "tiny shapes");
    assertTrue(leastSeconds(Bench.Extent.QUICK) > 3600, "real shapes");
  }

  private static double leastSeconds(Bench.Extent extent) {
    return new Bench(new Bench.Options(extent, _ -> new ReferenceBackend(), 1, Pattern.compile(""),
        OptionalInt.empty(), OptionalInt.empty(), null)).leastSeconds(new NullBackend((_, _, _) -> Support.NATIVE));
  }

  @ParameterizedTest
  @ValueSource(strings = {"benchmarks", "benchmarks-xeon"})
  void thePageIsThatOfTheReport(String name) throws Exception {
    Path docs = Path.of(System.getProperty("jqlora.root", ".")).resolve("docs");
    Path json = docs.resolve(name + ".json");
    Assumptions.assumeTrue(Files.exists(json), () -> "skipped: there is no " + json);
    assertEquals(ReportText.markdown(Report.read(json)), Files.readString(docs.resolve(name + ".md")),
        "write it anew: ./jqlora bench --from docs/%1$s.json --markdown docs/%1$s.md".formatted(name));
  }

  @Test
  void nothingLikeTheFilterIsAnError() {
    JqloraException refused = assertThrows(JqloraException.class, () -> bench("no such row", null).run(SILENT));
    assertEquals("no measurement is named like no such row", refused.getMessage());
  }

  @Test
  void aPeerOfOtherResultsIsRefused() {
    JqloraException refused = assertThrows(JqloraException.class,
        () -> bench("matmul NN 8 × 64 × 64", new Doubling()).run(SILENT));
    assertEquals("matmul NN 8 × 64 × 64: c as Doubling has it is off by 5.0e-01 of its largest number; "
        + "expected at most 2e-04", refused.getMessage());
  }

  /** A row of what the peer does not do stands alone. */
  @Test
  void aPeerOfTheSameResultsIsCompared() {
    Report report = bench("matmul NT 8 × 64 × 64|attention forward 8", new Twin()).run(SILENT);
    assertEquals(List.of(), report.rows().get(1).rivals());
    RowResult row = report.rows().getFirst();
    assertEquals("Twin", report.peer());
    assertEquals("Twin", row.rivals().getFirst().name());
    Double difference = row.rivals().getFirst().difference();
    assertTrue(difference != null && difference < 1e-5, row.toString());
    row.goals().forEach(goal -> assertNotNull(goal.met(), goal.toString()));
  }

  /** A peer that multiplies matrices of the transposed kind. */
  private static class Twin implements Peer {
    @Override
    public String name() {
      return getClass().getSimpleName();
    }

    @Override
    public void open(int threads) {}

    double factor() {
      return 1;
    }

    @Override
    public boolean isPeerOf(String backend) {
      return true;
    }

    @Override
    public boolean does(Task task) {
      return task instanceof Task.Product;
    }

    @Override
    public Contender prepare(Task task, Inputs inputs, DType factors) {
      assertEquals(DType.F32, factors);
      if (!(task instanceof Task.Product(int m, int k, int n, boolean transposed))) {
        throw new IllegalArgumentException(task.toString());
      }
      Map<String, Tensor> results = new HashMap<>();
      return new Contender() {
        @Override
        public void run() {
          Tensor c = Tensor.allocate(Arena.ofAuto(), TensorType.f32(m, n));
          try (Arena arena = Arena.ofConfined()) {
            Tensor a = inputs.get("a", arena);
            Tensor b = inputs.get("b", arena);
            for (int i = 0; i < m * n; i++) {
              double sum = 0;
              for (int j = 0; j < k; j++) {
                sum += a.get(i / n * k + j) * b.get(transposed ? (i % n) * (long) k + j : j * (long) n + i % n);
              }
              c.set(i, factor() * sum);
            }
          }
          results.put("c", c);
        }

        @Override
        public Map<String, Tensor> results() {
          return results;
        }

        @Override
        public void close() {}
      };
    }

    @Override
    public void close() {}
  }

  private static final class Doubling extends Twin {
    @Override
    double factor() {
      return 2;
    }
  }

  @Test
  void timesAreTheirQuartiles() {
    assertEquals(new Times(3, 2 / 3.0, 5), Times.of(new double[]{5, 1, 4, 3, 2}));
    assertEquals(new Times(2, 0, 1), Times.of(new double[]{2}));
  }

  @Test
  void differencesAreSharesOfTheLargest() {
    Tensor a = Tensor.of(TensorType.f32(2), 1f, -4f);
    assertEquals(0, Bench.difference(a, a));
    assertEquals(0.25, Bench.difference(Tensor.of(TensorType.f32(2), 0f, -4f), a));
    assertTrue(Double.isNaN(Bench.difference(Tensor.of(TensorType.f32(2), Float.NaN, -4f), a)));
    assertTrue(Double.isNaN(Bench.difference(Tensor.of(TensorType.f32(1), 1f), a)));
  }

  @Test
  void goalsAreMetAtTheirBound() {
    Goal.Outcome outcome = new Goal.Outcome(2, new dev.jqlora.engine.graph.Cost(10, 600e6), 0.8,
        Map.of(Goal.PEER, 2.1));
    assertVerdict("≥ 1.05 × peer", "1.05 × peer", true, new Goal.Speed(Goal.PEER, 1.05).verdict(outcome));
    assertVerdict("≥ 1.10 × peer", "1.05 × peer", false, new Goal.Speed(Goal.PEER, 1.1).verdict(outcome));
    assertVerdict("≤ 0.75 of peer's time", "0.95 of peer's time", false,
        new Goal.TimeShare(Goal.PEER, 0.75).verdict(outcome));
    assertVerdict("≤ 0.96 of peer's time", "0.95 of peer's time", true,
        new Goal.TimeShare(Goal.PEER, 0.96).verdict(outcome));
    assertVerdict("≥ 80 % of the roof", "80 % of the roof", true, new Goal.OfRoof(0.8).verdict(outcome));
    assertVerdict("≥ 81 % of the roof", "80 % of the roof", false, new Goal.OfRoof(0.81).verdict(outcome));
    assertVerdict("≥ 250 MB/s", "300 MB/s", true, new Goal.Rate(250e6).verdict(outcome));
    RowResult.Verdict unknown = new Goal.Speed("nobody", 2).verdict(outcome);
    assertNull(unknown.met());
    assertNull(unknown.value());
  }

  private static void assertVerdict(String goal, String value, boolean met, RowResult.Verdict verdict) {
    assertEquals(new RowResult.Verdict(goal, value, met), verdict);
  }

  /** All seven weights take part in the backward pass, the first layer's too. */
  @Test
  void theLayersGradientIsWhole() {
    try (Workbench workbench = new Workbench(1, CpuBackend::new)) {
      Row row = new ModelRows(SIZES, new KernelRows(SIZES)).rows().stream()
          .filter(candidate -> candidate.name().startsWith("decoder layer forward + backward")).findFirst()
          .orElseThrow();
      try (Setup setup = row.opening().open(workbench)) {
        LayerRun layer = (LayerRun) setup.subject();
        String graph = layer.program().executable().plan().program().graph().dump();
        assertEquals(7, graph.lines().filter(line -> line.contains("Nf4LinearGradient")).count(), graph);
        assertEquals(7, graph.lines().filter(line -> line.contains("Nf4Linear[")).count(), graph);
        layer.run();
        layer.results().forEach((name, tensor) -> assertFalse(isZero(tensor), name));
      }
    }
  }

  private static boolean isZero(Tensor tensor) {
    for (long i = 0; i < tensor.type().elements(); i++) {
      if (tensor.get(i) != 0) {
        return false;
      }
    }
    return true;
  }
}
