package dev.jqlora.engine.backend;

/** Makes a backend; found by {@link java.util.ServiceLoader}. */
public interface BackendProvider {
  String name();

  /** Whether it can run here: an empty text, or the reason why not and what to do. */
  String unavailable();

  /**
   * Whether there is what it runs on at all, such as a vendor's driver. Where there is not, an automatic choice need not
   * say why it did not take this backend.
   */
  default boolean isInstalled() {
    return true;
  }

  /** @param threads how many threads may compute at once, where the backend uses the host's processors */
  Backend create(int threads);
}
