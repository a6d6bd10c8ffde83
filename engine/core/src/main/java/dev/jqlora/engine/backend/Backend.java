package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.tensor.DType;
import java.util.Optional;

/** Something that runs programs: it says which ops it has kernels for, and opens sessions. */
public interface Backend extends Capabilities, MemoryRules, AutoCloseable {
  String name();

  /** The device in words, with what matters of it for speed and size. */
  String device();

  /** Device memory that it takes beside its sessions, such as code and libraries' workspaces. */
  default long overheadBytes() {
    return 0;
  }

  /** What the factors of matrix products and attention may be rounded to before they are multiplied; sums are F32. */
  default DType products() {
    return DType.F32;
  }

  /** The GPU that it computes on; empty where that is the host's processor. */
  default Optional<GpuInfo> gpu() {
    return Optional.empty();
  }

  /** The most device memory that a session could take now; {@link Long#MAX_VALUE} where the device does not tell. */
  default long availableBytes() {
    return Long.MAX_VALUE;
  }

  /**
   * Opens a session.
   *
   * @param memoryLimitBytes the most device memory that states, programs and pages may take together
   */
  Session open(long memoryLimitBytes);

  @Override
  void close();
}
