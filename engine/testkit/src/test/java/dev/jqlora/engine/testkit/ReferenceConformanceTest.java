package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.reference.ReferenceBackend;

class ReferenceConformanceTest extends ConformanceSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }
}
