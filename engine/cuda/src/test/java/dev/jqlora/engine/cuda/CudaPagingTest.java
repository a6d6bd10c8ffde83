package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.PagingSuite;

/** Paged states through the pool in device memory. */
class CudaPagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return TestDriver.unchecked();
  }
}
