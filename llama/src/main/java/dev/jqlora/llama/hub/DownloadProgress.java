package dev.jqlora.llama.hub;

/** Told how a download goes on; called often, from one thread. */
@FunctionalInterface
public interface DownloadProgress {
  DownloadProgress NONE = (_, _, _) -> {
  };

  /**
   * @param file the file's name in the repository
   * @param bytes of it on disk so far
   * @param totalBytes its size
   */
  void advanced(String file, long bytes, long totalBytes);
}
