package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.plan.Support;

class CheckedPagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return new CheckedBackend((_, _, _) -> Support.NATIVE);
  }

  @Override
  protected boolean movesPages() {
    return false;
  }
}
