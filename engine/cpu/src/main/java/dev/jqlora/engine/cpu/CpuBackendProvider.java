package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;

/** The backend that is there wherever Java may use memory outside its heap. */
public final class CpuBackendProvider implements BackendProvider {
  static final String NO_ACCESS = "Java denies it native access; start it with --enable-native-access=ALL-UNNAMED";

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String unavailable() {
    return FloatMemory.isAccessible() ? "" : NO_ACCESS;
  }

  @Override
  public Backend create(int threads) {
    return new CpuBackend(threads);
  }
}
