package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.PagingSuite;

class CpuPagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return new CpuBackend(2);
  }
}
