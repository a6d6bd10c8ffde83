package dev.jqlora.engine.backend;

/** Makes a backend; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
  String name();

  /** Whether it can run here: an empty text, or the reason why not and what to do. */
  String unavailable();

  /** @param threads how many threads may compute at once, where the backend uses the host's processors */
  Backend create(int threads);
}
