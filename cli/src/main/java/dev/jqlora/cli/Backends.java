package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import dev.jqlora.training.config.EngineArguments;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/** The backends on the class path. */
final class Backends {
  static final String AUTO = "auto";
  static final String CPU = "cpu";
  /** What computes in float64 what the others are measured against. */
  static final String REFERENCE = "reference";
  /** What the automatic choice tries, the first before the second; all but the last only on a GPU. */
  private static final List<String> PREFERRED = List.of("cuda", "tornado", CPU);

  private Backends() {}

  static List<BackendProvider> providers() {
    return ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList();
  }

  /**
   * Opens a backend.
   *
   * @param name of one, or {@value #AUTO}; nothing was said where null, which is {@value #AUTO} too
   * @param err is told in one line what was chosen and why, if it was asked for or if a GPU has to do with it
   */
  static Backend open(@Nullable String name, int threads, PrintWriter err) {
    return name == null || name.equals(AUTO)
        ? choose(providers(), name != null, threads, err)
        : named(name).create(threads);
  }

  /**
   * Opens a backend; see {@link #open(String, int, PrintWriter)}.
   *
   * @param profile whether to print, when it is closed, what it did; see {@link ProfiledBackend}
   */
  static Backend open(@Nullable String name, int threads, boolean profile, PrintWriter err) {
    Backend backend = open(name, threads, err);
    return profile ? new ProfiledBackend(backend, err) : backend;
  }

  /** Opens what a configuration names; see {@link #open(String, int, boolean, PrintWriter)}. */
  static Backend open(EngineArguments engine, boolean profile, PrintWriter err) {
    String name = engine.backend();
    if (name != null && !name.equals(AUTO) && find(name).isEmpty()) {
      throw new JqloraException(Kind.CONFIG, "backend is %s; expected %s".formatted(FileErrors.quoted(name), names()));
    }
    return open(name, BackendOptions.threads(engine.threads()), profile, err);
  }

  private static Optional<BackendProvider> find(String name) {
    return providers().stream().filter(provider -> provider.name().equals(name)).findFirst();
  }

  private static String names() {
    return "%s or one of %s".formatted(AUTO, providers().stream().map(BackendProvider::name).toList());
  }

  /** The provider of a name, which can run here. */
  static BackendProvider named(String name) {
    BackendProvider provider = find(name)
        .orElseThrow(() -> new JqloraException(Kind.USAGE, "--backend: there is no backend %s; expected %s"
            .formatted(name, names())));
    if (!provider.unavailable().isEmpty()) {
      throw new JqloraException(Kind.BACKEND, "backend %s cannot run here: %s".formatted(name, provider
          .unavailable()));
    }
    return provider;
  }

  /** See {@link #open(String, int, PrintWriter)}; without having been asked it says nothing of what is not installed. */
  static Backend choose(List<BackendProvider> providers, boolean asked, int threads, PrintWriter err) {
    List<String> reasons = new ArrayList<>();
    for (String name : PREFERRED) {
      Backend backend = providers.stream().filter(provider -> provider.name().equals(name)).findFirst()
          .map(provider -> tryOpen(provider, threads, asked, reasons)).orElse(null);
      if (backend != null) {
        if (asked || backend.gpu().isPresent() || !reasons.isEmpty()) {
          reasons.addFirst(backend.device());
          err.println("jqlora: backend %s: %s".formatted(name, String.join("; ", reasons)));
          err.flush();
        }
        return backend;
      }
    }
    throw new JqloraException(Kind.BACKEND, "no backend can run here (jqlora devices tells why)");
  }

  /** The backend if it is the one to take, else null; why it is not is added to the reasons. */
  private static @Nullable Backend tryOpen(BackendProvider provider, int threads, boolean asked, List<String> reasons) {
    String reason = provider.unavailable();
    if (reason.isEmpty()) {
      try {
        Backend backend = provider.create(threads);
        if (provider.name().equals(CPU) || backend.gpu().isPresent()) {
          return backend;
        }
        reason = "its device is no GPU (%s)".formatted(backend.device());
        backend.close();
      } catch (JqloraException e) {
        reason = String.valueOf(e.getMessage());
      }
    } else if (!asked && !provider.isInstalled()) {
      return null;
    }
    reasons.add("not %s: %s".formatted(provider.name(), reason));
    return null;
  }
}
