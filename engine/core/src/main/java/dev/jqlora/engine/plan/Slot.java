package dev.jqlora.engine.plan;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where an operand lies: in a state's memory or, where {@code state} is null, in the program's arena.
 *
 * @param offset bytes from its begin
 * @param strides per enclosing loop, outermost first, the bytes to add for each step of its index
 */
public record Slot(@Nullable String state, long offset, List<Long> strides) {
  public Slot {
    strides = List.copyOf(strides);
  }

  static Slot arena(long offset) {
    return new Slot(null, offset, List.of());
  }

  static Slot state(String name) {
    return new Slot(name, 0, List.of());
  }

  /** This place within the loop of the given depth (0 the outermost), moving by a stride with each iteration. */
  Slot slices(int depth, long stride) {
    List<Long> deeper = new ArrayList<>(strides);
    while (deeper.size() < depth) {
      deeper.add(0L);
    }
    deeper.add(stride);
    return new Slot(state, offset, deeper);
  }

  /** The byte offset at the given loop indices. */
  public long at(int[] indices) {
    long at = offset;
    for (int depth = 0; depth < strides.size(); depth++) {
      at += strides.get(depth) * indices[depth];
    }
    return at;
  }
}
