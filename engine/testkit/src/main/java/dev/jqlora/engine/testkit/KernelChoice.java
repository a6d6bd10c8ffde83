package dev.jqlora.engine.testkit;

import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Lowering;

/** How a backend runs a case: with a kernel of its own, as simpler ops, or not at all and why. */
public sealed interface KernelChoice {
  /** By a kernel. */
  record Native() implements KernelChoice {}

  /** As this many simpler ops. */
  record Decomposed(int ops) implements KernelChoice {}

  /** Not, because. */
  record Unsupported(String reason) implements KernelChoice {}

  static KernelChoice of(CaseList.Case sample, Capabilities capabilities) {
    try {
      Lowering lowering = Lowering.lower(CaseRun.graph(sample), capabilities);
      return lowering.decomposedNodes() == 0 ? new Native() : new Decomposed(lowering.graph().nodes().size());
    } catch (Lowering.MissingKernelException e) {
      return new Unsupported("no kernel for " + String.join("; ", e.missing()));
    }
  }
}
