package dev.jqlora.engine.graph;

import java.util.List;

/** An op whose meaning is a composition of simpler ops: its reference, its default gradient and its fallback. */
public interface Composite extends Op {
  /** Appends the simpler ops and returns the outputs, in order and of the inferred types. */
  List<Value> decompose(GraphBuilder builder, List<Value> inputs);

  /**
   * Throws IllegalArgumentException where the inputs hold numbers that the op forbids and its parts would not notice:
   * the reference asks before it decomposes.
   */
  default void check(List<Array64> inputs) {}
}
