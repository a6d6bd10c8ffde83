package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.reference.ReferenceBackend;

class ReferencePagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return new ReferenceBackend();
  }

  @Override
  protected boolean movesPages() {
    return false;
  }
}
