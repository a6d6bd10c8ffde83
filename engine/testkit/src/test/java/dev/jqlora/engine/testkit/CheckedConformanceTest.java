package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.plan.Support;

/** Kernels for primitives alone: each composite runs as its decomposition, in float32 and in planned memory. */
class CheckedConformanceTest extends ConformanceSuite {
  @Override
  protected Backend backend() {
    return new CheckedBackend((op, _, _) -> op instanceof Composite
        ? new Support.Unsupported("it is to be decomposed")
        : new Support.Native(64));
  }
}
