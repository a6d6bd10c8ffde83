package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestReporter;

/**
 * Whether a backend computes what the ops mean: every case of every op, with the inputs and outputs in states, in the
 * arena, in slices and in place. A backend joins by extending this class.
 */
public abstract class ConformanceSuite {
  private final TreeSet<String> unsupported = new TreeSet<>();
  private int nativeCases;
  private int decomposedCases;
  private int unsupportedCases;

  /** A backend that this suite may close. */
  protected abstract Backend backend();

  /** The ops of which it is known that the backend runs some cases in no way; any other is a failure. */
  protected Set<String> knownUnsupported() {
    return Set.of();
  }

  /** Runs a case; a backend that computes nothing overrides this. */
  protected void check(CaseRun run, CaseList cases) {
    run.check(cases);
  }

  @TestFactory
  Stream<DynamicNode> everyCaseOfEveryOp(TestReporter reporter) {
    Backend backend = backend();
    List<DynamicNode> nodes = new ArrayList<>();
    SortedMap<String, CaseList> all = new TreeMap<>(CaseCatalogue.all());
    all.forEach((op, list) -> nodes.add(dynamicContainer(op,
        list.cases().stream().map(sample -> dynamicTest(sample.name(), () -> check(backend, op, list, sample))))));
    nodes.add(dynamicTest("counts", () -> {
      reporter.publishEntry(backend.name(), "%d native, %d decomposed, %d unsupported %s".formatted(nativeCases,
          decomposedCases, unsupportedCases, unsupported));
      assertTrue(nativeCases + decomposedCases > 0, "nothing was checked");
      assertEquals(new TreeSet<>(knownUnsupported()), unsupported);
    }));
    return nodes.stream().onClose(backend::close);
  }

  private void check(Backend backend, String op, CaseList list, CaseList.Case sample) {
    switch (KernelChoice.of(sample, backend)) {
      case KernelChoice.Native _ -> nativeCases++;
      case KernelChoice.Decomposed _ -> decomposedCases++;
      case KernelChoice.Unsupported(String reason) -> {
        unsupportedCases++;
        unsupported.add(op);
        Assumptions.abort("unsupported: " + reason);
      }
    }
    try (Session session = backend.open(Long.MAX_VALUE)) {
      CaseRun run = new CaseRun(session, sample);
      check(new CaseRun(session, sample), list);
    }
  }
}
