package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;

/** The backend for NVIDIA GPUs, there where the driver and a GPU are. */
public final class CudaBackendProvider implements BackendProvider {
  static final String NAME = "cuda";

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String unavailable() {
    return Gpu.unavailable();
  }

  @Override
  public boolean isInstalled() {
    return Gpu.isInstalled();
  }

  @Override
  public Backend create(int threads) {
    return new CudaBackend(Precision.ofProperty());
  }
}
