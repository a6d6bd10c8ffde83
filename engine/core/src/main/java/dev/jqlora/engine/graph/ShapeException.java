package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** An op was given inputs that do not fit it: the op, the argument, what was expected and what came. */
public final class ShapeException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public ShapeException(String message) {
    super(message);
  }

  public static void count(String op, List<TensorType> inputs, int expected) {
    if (inputs.size() != expected) {
      throw new ShapeException("%s: expected %d inputs, got %d".formatted(op, expected, inputs.size()));
    }
  }

  public static void dtype(String op, String argument, TensorType type, DType... allowed) {
    if (!List.of(allowed).contains(type.dtype())) {
      throw new ShapeException("%s: %s must be %s, got %s".formatted(op, argument, List.of(allowed), type));
    }
  }

  public static void rank(String op, String argument, TensorType type, int rank) {
    if (type.shape().rank() != rank) {
      throw new ShapeException("%s: %s must have rank %d, got %s".formatted(op, argument, rank, type));
    }
  }

  /** Requires a matrix, of one of some element types. */
  public static void matrix(String op, String argument, TensorType type, DType... allowed) {
    dtype(op, argument, type, allowed);
    rank(op, argument, type, 2);
  }

  public static void shape(String op, String argument, TensorType type, Shape expected) {
    if (!type.shape().equals(expected)) {
      throw new ShapeException("%s: %s must have shape %s, got %s".formatted(op, argument, expected, type));
    }
  }

  public static void check(boolean condition, String format, Object... arguments) {
    if (!condition) {
      throw new ShapeException(format.formatted(arguments));
    }
  }
}
