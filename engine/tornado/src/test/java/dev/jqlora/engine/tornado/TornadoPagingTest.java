package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.testkit.PagingSuite;

class TornadoPagingTest extends PagingSuite {
  @Override
  protected Backend backend() {
    return new TornadoBackend();
  }

  /** Each set of states is compiled anew. */
  @Override
  protected int seeds() {
    return 3;
  }
}
