package dev.jqlora.engine.reference;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;

/** The interpreter as a backend that can be asked for by name, to check another by. */
public final class ReferenceBackendProvider implements BackendProvider {
  @Override
  public String name() {
    return "reference";
  }

  @Override
  public String unavailable() {
    return "";
  }

  @Override
  public Backend create(int threads) {
    return new ReferenceBackend();
  }
}
