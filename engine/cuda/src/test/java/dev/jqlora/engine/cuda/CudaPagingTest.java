package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.PagingSuite;
import java.util.Map;

/** Paged states through the pool in device memory, as where the driver does not move managed memory by itself. */
class CudaPagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return TestDriver.unchecked(Map.of("concurrent", 0L));
  }
}
