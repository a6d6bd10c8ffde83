package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * What a node computes. An op is a record: its components are the attributes that are fixed for a program; whatever
 * changes between runs is an input. An op is either a {@link Primitive}, evaluated in float64 by the interpreter, a
 * {@link Composite}, whose meaning is its decomposition into simpler ops, or {@link Repeat}.
 */
public interface Op {
  /** The op's name in dumps, errors and tables. */
  default String name() {
    return getClass().getSimpleName();
  }

  /** The output types for these input types; throws {@link ShapeException} where they do not fit. */
  List<TensorType> infer(List<TensorType> inputs);

  /** Whether its outputs are small against the work of computing them again (see {@link SavePolicy}). */
  default boolean worthSaving() {
    return false;
  }

  /**
   * Whether computing its outputs costs little more than reading and writing them. A gradient computes them again where it
   * reads them, rather than keep them until then.
   */
  default boolean cheap() {
    return false;
  }

  /** Whether a kernel may write this output over that input's memory (equal sizes, each element read before written). */
  default boolean inPlace(int input, int output) {
    return false;
  }

  /** The work of one run; the default counts the bytes of all operands and no arithmetic. */
  default Cost cost(List<TensorType> inputs, List<TensorType> outputs) {
    return Cost.move(inputs, outputs);
  }
}
