package dev.jqlora.engine.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** The extents of a contiguous row-major tensor. Rank 0 is a scalar; an extent of 0 is legal and means no elements. */
public record Shape(List<Integer> dims) {
  public static final Shape SCALAR = new Shape(List.of());

  public Shape {
    dims = List.copyOf(dims);
    for (int dim : dims) {
      if (dim < 0) {
        throw new IllegalArgumentException("negative extent in shape " + dims);
      }
    }
  }

  public static Shape of(int... dims) {
    return new Shape(Arrays.stream(dims).boxed().toList());
  }

  public int rank() {
    return dims.size();
  }

  /** Extent of an axis; negative axes count from the last. */
  public int dim(int axis) {
    return dims.get(axis < 0 ? axis + dims.size() : axis);
  }

  /** The last extent, or 1 for a scalar. */
  public int last() {
    return dims.isEmpty() ? 1 : dims.getLast();
  }

  /** Number of rows when all axes but the last are folded into one. */
  public long rows() {
    return last() == 0 ? 0 : elements() / last();
  }

  /** Number of elements; throws ArithmeticException where a long cannot tell it. */
  public long elements() {
    if (dims.contains(0)) {
      return 0;
    }
    long elements = 1;
    for (int dim : dims) {
      if (elements > Long.MAX_VALUE / dim) {
        throw new ArithmeticException("too many elements in shape " + this);
      }
      elements *= dim;
    }
    return elements;
  }

  /** This shape with a new leading axis. */
  public Shape stacked(int count) {
    List<Integer> stacked = new ArrayList<>(dims.size() + 1);
    stacked.add(count);
    stacked.addAll(dims);
    return new Shape(stacked);
  }

  /** This shape without its leading axis. */
  public Shape slice() {
    return new Shape(dims.subList(1, dims.size()));
  }

  /** This shape with another last extent. */
  public Shape withLast(int extent) {
    List<Integer> changed = new ArrayList<>(dims);
    changed.set(dims.size() - 1, extent);
    return new Shape(changed);
  }

  @Override
  public String toString() {
    return dims.stream().map(String::valueOf).collect(Collectors.joining(", ", "[", "]"));
  }
}
