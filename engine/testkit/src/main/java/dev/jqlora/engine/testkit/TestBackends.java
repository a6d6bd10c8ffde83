package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assumptions;

/** Backends for tests that run on whatever there is. */
public final class TestBackends {
  private TestBackends() {}

  /** The backend of a name; where it is not on the class path or cannot run here, the test is skipped and says so. */
  public static Backend named(String name, int threads) {
    BackendProvider provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
        .filter(candidate -> candidate.name().equals(name)).findFirst().orElse(null);
    if (provider == null) {
      return Assumptions.abort("backend " + name + " is not built here: skipped");
    }
    Assumptions.assumeTrue(provider.unavailable().isEmpty(), () -> "skipped: " + provider.unavailable());
    return provider.create(threads);
  }
}
