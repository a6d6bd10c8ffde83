package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** NumPy's broadcasting: shapes are aligned at the last axis; an extent of 1, or an absent axis, is repeated. */
public record Broadcast(int[] extents, int[] strides) {
  /** The common shape; throws {@link ShapeException} naming the op where there is none. */
  public static Shape shape(String op, Shape left, Shape right) {
    List<Integer> dims = new ArrayList<>();
    for (int i = 1; i <= Math.max(left.rank(), right.rank()); i++) {
      int l = i <= left.rank() ? left.dim(-i) : 1;
      int r = i <= right.rank() ? right.dim(-i) : 1;
      if (l != r && l != 1 && r != 1) {
        throw new ShapeException(op + ": " + left + " and " + right + " cannot be broadcast together");
      }
      dims.add(l == 1 ? r : l);
    }
    Collections.reverse(dims);
    return new Shape(dims);
  }

  /** Whether a tensor of this shape can be repeated to the target. */
  public static boolean fits(Shape source, Shape target) {
    if (source.rank() > target.rank()) {
      return false;
    }
    for (int i = 1; i <= source.rank(); i++) {
      if (source.dim(-i) != 1 && source.dim(-i) != target.dim(-i)) {
        return false;
      }
    }
    return true;
  }

  /** Reads elements of {@code target} from a tensor of shape {@code source}. */
  static Broadcast of(Shape source, Shape target) {
    int[] extents = new int[target.rank()];
    int[] strides = new int[target.rank()];
    int stride = 1;
    for (int i = 1; i <= target.rank(); i++) {
      int axis = target.rank() - i;
      extents[axis] = target.dim(axis);
      int extent = i <= source.rank() ? source.dim(-i) : 1;
      strides[axis] = extent == 1 ? 0 : stride;
      stride *= extent;
    }
    return new Broadcast(extents, strides);
  }

  int source(int index) {
    int source = 0;
    int rest = index;
    for (int axis = extents.length - 1; axis >= 0; axis--) {
      source += rest % extents[axis] * strides[axis];
      rest /= extents[axis];
    }
    return source;
  }

  /** For each element of {@code target}, the element of {@code source} that it repeats. */
  public static int[] sources(Shape source, Shape target) {
    Broadcast broadcast = of(source, target);
    int[] sources = new int[Math.toIntExact(target.elements())];
    for (int i = 0; i < sources.length; i++) {
      sources[i] = broadcast.source(i);
    }
    return sources;
  }
}
