package dev.jqlora.cli;

import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.List;
import java.util.ServiceLoader;

/** The backends on the class path. */
final class Backends {
  static final String AUTO = "auto";
  /** Never chosen by itself: it is made to be right, not fast. */
  private static final String REFERENCE = "reference";

  private Backends() {}

  static List<BackendProvider> providers() {
    return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList();
  }

  /** The backend of a name, or for {@value #AUTO} the first that can run here. */
  static BackendProvider named(String name) {
    List<BackendProvider> providers = providers();
    if (name.equals(AUTO)) {
      return providers.stream().filter(provider -> !provider.name().equals(REFERENCE) && provider.unavailable()
          .isEmpty()).findFirst().orElseThrow(() -> new JqloraException(Kind.BACKEND,
              "no backend can run here (jqlora devices tells why)"));
    }
    BackendProvider provider = providers.stream().filter(candidate -> candidate.name().equals(name)).findFirst()
        .orElseThrow(() -> new JqloraException(Kind.USAGE, "--backend: there is no backend %s; expected %s or one of %s"
            .formatted(name, AUTO, providers.stream().map(BackendProvider::name).toList())));
    if (!provider.unavailable().isEmpty()) {
      throw new JqloraException(Kind.BACKEND, "backend %s cannot run here: %s".formatted(name, provider
          .unavailable()));
    }
    return provider;
  }
}
