package dev.jqlora.bench;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.Arena;

/** Another library that does the same work in the same process, for comparison; found by ServiceLoader. */
public interface Peer extends AutoCloseable {
  /** Inputs by name, made when they are asked for, since they may be large. */
  @FunctionalInterface
  interface Inputs {
    /** A tensor of F32 (I32 for labels) that is valid until the arena is closed. */
    Tensor get(String name, Arena arena);
  }

  /** The library and its version. */
  String name();

  /**
   * Makes the library ready.
   *
   * @param threads that it may compute with
   * @throws dev.jqlora.engine.error.JqloraException of kind BACKEND where it cannot run here
   */
  void open(int threads);

  /** Whether it is what a backend's figures are held against. */
  boolean isPeerOf(String backend);

  boolean does(Task task);

  /**
   * Makes a task that it does ready with copies of its inputs.
   *
   * @param factors what the factors of matrix products are rounded to
   */
  Contender prepare(Task task, Inputs inputs, DType factors);

  @Override
  void close();
}
