package dev.jqlora.engine.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.cpu.CpuBackend;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.reference.ReferenceBackend;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.KernelChoice;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Keeps {@code docs/op-support.md} equal to what the backends answer. A stale page is written anew by running this test
 * with {@code -Djqlora.docs=write}.
 */
class OpSupportPageTest {
  private static final Path PAGE = Path.of(System.getProperty("jqlora.root", "../.."), "docs", "op-support.md");

  private static final String HEAD = """
      # Ops and backends

      How each backend runs each op, asked of the backend for every case of the op in
      `engine/testkit/.../testkit/cases`:

      - **kernel**: by a kernel of its own.
      - **as n ops**: as the simpler ops of its decomposition, at most so many.
      - **no**: not at all; the reason stands below. Programs that use it so are refused when they are compiled.

      "9 of 12" counts cases, which include dtypes and forms that no model uses. The gradient is the op's own rule,
      that of its decomposition, or none.

      This page is generated; a test fails when it is stale, and
      `mvn -pl engine/bench -am test -Dtest=OpSupportPageTest -Dsurefire.failIfNoSpecifiedTests=false
      -Djqlora.docs=write` writes it anew.

      """;

  @Test
  void thePageIsWhatTheBackendsAnswer() throws IOException {
    List<BackendProvider> tornado = ServiceLoader.load(BackendProvider.class).stream()
        .map(ServiceLoader.Provider::get).filter(provider -> provider.name().equals("tornado")).toList();
    if (tornado.isEmpty()) {
      // The page has a column that only a machine with TornadoVM can write or check.
      assertEquals(page(List.of()), withoutTornado(Files.readString(PAGE)), "docs/op-support.md is stale; its head says"
          + " how to write it anew, where TORNADOVM_HOME is set");
      return;
    }
    String expected = page(tornado);
    if ("write".equals(System.getProperty("jqlora.docs"))) {
      Files.createDirectories(PAGE.getParent());
      Files.writeString(PAGE, expected);
    }
    assertTrue(Files.exists(PAGE), "docs/op-support.md is missing; run this test with -Djqlora.docs=write");
    assertEquals(expected, Files.readString(PAGE), "docs/op-support.md is stale; its head says how to write it anew");
  }

  /** The page without what it says of a backend that this build may lack. */
  private static String withoutTornado(String page) {
    StringBuilder rest = new StringBuilder();
    int column = -1;
    for (String line : page.lines().toList()) {
      List<String> cells = new ArrayList<>(List.of(line.split("\\|", -1)));
      column = line.startsWith("| op |") ? cells.indexOf(" tornado ") : column;
      if (line.startsWith("|") && column > 0) {
        cells.remove(column);
      }
      if (!line.startsWith("- tornado, ")) {
        rest.append(String.join("|", cells)).append('\n');
      }
    }
    return rest.toString();
  }

  private static String page(List<BackendProvider> others) {
    StringBuilder page = new StringBuilder(HEAD);
    Set<String> reasons = new LinkedHashSet<>();
    try (Backend cpu = new CpuBackend(1); Backend reference = new ReferenceBackend()) {
      List<Backend> backends = new ArrayList<>(List.of(cpu));
      others.forEach(provider -> backends.add(provider.create(1)));
      backends.add(reference);
      page.append("| op | kind | gradient |");
      backends.forEach(backend -> page.append(' ').append(backend.name()).append(" |"));
      page.append("\n|---|---|---|").append("---|".repeat(backends.size())).append('\n');
      CaseCatalogue.all().forEach((name, list) -> {
        Op op = list.cases().getFirst().op();
        page.append("| ").append(name).append(" | ").append(op instanceof Composite ? "composite" : "primitive")
            .append(" | ").append(gradient(op)).append(" |");
        backends.forEach(backend -> page.append(' ').append(support(name, list, backend, reasons)).append(" |"));
        page.append('\n');
      });
    }
    page.append("\n## What is missing, and why\n\n");
    reasons.forEach(reason -> page.append("- ").append(reason).append('\n'));
    return page.toString();
  }

  private static String gradient(Op op) {
    if (op instanceof Differentiable) {
      return "own rule";
    }
    return op instanceof Composite ? "of its parts" : "none";
  }

  private static String support(String name, CaseList list, Backend backend, Set<String> reasons) {
    int kernels = 0;
    int decomposed = 0;
    int parts = 0;
    for (CaseList.Case sample : list.cases()) {
      switch (KernelChoice.of(sample, backend)) {
        case KernelChoice.Native _ -> kernels++;
        case KernelChoice.Decomposed(int ops) -> {
          decomposed++;
          parts = Math.max(parts, ops);
        }
        case KernelChoice.Unsupported _ -> reasons.add(
            "%s, %s: %s".formatted(backend.name(), name, reason(backend, sample)));
      }
    }
    List<String> ways = new ArrayList<>();
    int all = list.cases().size();
    add(ways, "kernel", kernels, all);
    add(ways, "as " + parts + " ops", decomposed, all);
    add(ways, "no", all - kernels - decomposed, all);
    return String.join(", ", ways);
  }

  private static void add(List<String> ways, String way, int count, int all) {
    if (count == all) {
      ways.add(way);
    } else if (count > 0) {
      ways.add("%s (%d of %d)".formatted(way, count, all));
    }
  }

  private static String reason(Backend backend, CaseList.Case sample) {
    return backend.supports(sample.op(), sample.types(),
        sample.op().infer(sample.types())) instanceof Support.Unsupported(String reason)
            ? reason
            : "a part of its decomposition has no kernel";
  }
}
