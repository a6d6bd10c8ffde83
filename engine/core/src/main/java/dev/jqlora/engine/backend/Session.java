package dev.jqlora.engine.backend;

import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;

/**
 * States in device memory, and the programs that work on them. For one thread at a time. Where a state is named that is not
 * there, all methods throw IllegalArgumentException; where bytes are not within it, IndexOutOfBoundsException.
 */
public interface Session extends AutoCloseable {
  /**
   * Makes a zeroed state. Its memory counts against the session's limit.
   *
   * @throws dev.jqlora.engine.error.JqloraException of kind MEMORY where it does not fit
   */
  void allocate(String state, TensorType type);

  /** The type of a state. */
  TensorType type(String state);

  /** Overwrites bytes of a state. */
  void write(String state, long offset, MemorySegment bytes);

  /** Copies bytes of a state to the host. */
  void read(String state, long offset, MemorySegment target);

  /** Plans and compiles a program whose states are all allocated. Its arena counts against the session's limit. */
  Executable compile(Program program);

  /** Device bytes in use: the states and the largest arena of the programs compiled so far. */
  long usedBytes();

  @Override
  void close();
}
