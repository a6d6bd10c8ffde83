package dev.jqlora.engine.backend;

import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * States in device memory, the programs that work on them, and what ops there are kernels for. For one thread at a time.
 * Where a state is named that is not there, all methods throw IllegalArgumentException; where bytes are not within it,
 * IndexOutOfBoundsException.
 */
public interface Session extends Capabilities, AutoCloseable {
  /**
   * Makes a zeroed state. Its memory counts against the session's limit.
   *
   * @throws dev.jqlora.engine.error.JqloraException of kind MEMORY where it does not fit
   */
  void allocate(String state, TensorType type);

  /**
   * Makes a zeroed state in pages, which may be in device memory or on the host. Programs, {@link #read} and {@link #write}
   * see no difference. Device memory that nothing else takes holds pages, up to all of them; a program compiles if it fits
   * beside the pages that its fullest step uses. See {@link PageTable}. A backend that does not page makes an ordinary state.
   *
   * @param pages equal parts along the first axis; a step of a program may use no more than one of them as one operand
   * @throws dev.jqlora.engine.error.JqloraException of kind MEMORY where a backend that does not page has no room for it
   */
  default void allocatePaged(String state, TensorType type, int pages) {
    allocate(state, type);
  }

  /** The type of a state. */
  TensorType type(String state);

  /** Overwrites bytes of a state. */
  void write(String state, long offset, MemorySegment bytes);

  /** Copies bytes of a state to the host. */
  void read(String state, long offset, MemorySegment target);

  /** Plans and compiles a program whose states are all allocated. Its arena counts against the session's limit. */
  Executable compile(Program program);

  /** Device bytes in use: the states, the largest arena of the programs compiled so far, and the pool of pages. */
  long usedBytes();

  /** What has moved between host and device so far. */
  default PagingCounts paging() {
    return PagingCounts.NONE;
  }

  /**
   * The most device bytes that were allocated at once, as the memory itself counts them, where the backend counts; else
   * what the books say. {@link #usedBytes} is what it comes to once all programs are compiled and have run.
   */
  default long peakBytes() {
    return usedBytes();
  }

  /** From now on tells a profile what runs of programs take and move; null for no profile. */
  void profile(@Nullable Profile profile);

  @Override
  void close();
}
