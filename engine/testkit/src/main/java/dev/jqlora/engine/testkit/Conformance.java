package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Consumer;

/** Counts how a backend runs cases, one after another. Needs no test framework. */
public final class Conformance {
  private final Backend backend;
  private final SortedSet<String> unsupported = new TreeSet<>();
  private int nativeCases;
  private int decomposedCases;
  private int unsupportedCases;

  public Conformance(Backend backend) {
    this.backend = backend;
  }

  /**
   * Runs a case in a session of its own, unless the backend cannot run it; then it returns why.
   *
   * @param op its name
   * @param check throws AssertionError where the backend computes something else
   */
  public Optional<String> run(String op, CaseList.Case sample, Consumer<CaseRun> check) {
    switch (KernelChoice.of(sample, backend)) {
      case KernelChoice.Native _ -> nativeCases++;
      case KernelChoice.Decomposed _ -> decomposedCases++;
      case KernelChoice.Unsupported(String reason) -> {
        unsupportedCases++;
        unsupported.add(op);
        return Optional.of(reason);
      }
    }
    try (Session session = backend.open(Long.MAX_VALUE)) {
      check.accept(new CaseRun(session, sample));
    }
    return Optional.empty();
  }

  /** Cases that ran, by kernels of the backend's own or decomposed. */
  public int cases() {
    return nativeCases + decomposedCases;
  }

  /** The ops of which some case could not be run. */
  public SortedSet<String> unsupported() {
    return unsupported;
  }

  /** The counts in words. */
  public String text() {
    return "%d native, %d decomposed, %d unsupported %s".formatted(nativeCases, decomposedCases, unsupportedCases,
        unsupported);
  }
}
