package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;

/** The backend that is always there. */
public final class CpuBackendProvider implements BackendProvider {
  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String unavailable() {
    return "";
  }

  @Override
  public Backend create(int threads) {
    return new CpuBackend(threads);
  }
}
