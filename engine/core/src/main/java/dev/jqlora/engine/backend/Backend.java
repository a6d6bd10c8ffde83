package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Capabilities;

/** Something that runs programs: it says which ops it has kernels for, and opens sessions. */
public interface Backend extends Capabilities, MemoryRules, AutoCloseable {
  String name();

  /** The device in words, with what matters of it for speed and size. */
  String device();

  /** Device memory that it takes beside its sessions, such as code and libraries' workspaces. */
  default long overheadBytes() {
    return 0;
  }

  /**
   * Opens a session.
   *
   * @param memoryLimitBytes the most device memory that states and arena may take together
   */
  Session open(long memoryLimitBytes);

  @Override
  void close();
}
