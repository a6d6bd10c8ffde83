package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Slot;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/**
 * Where an operand lies.
 *
 * @param first its first element in the array, at the start of all loops
 * @param strides per enclosing loop, outermost first, the elements to add for each step of its index
 * @param page where it lies in a state in pages, whose place is known only when the graph runs; {@code first} is then counted
 *     from there
 */
record Place(TornadoNativeArray array, int first, List<Integer> strides, @Nullable Slot page) {
  Place(TornadoNativeArray array, int first, List<Integer> strides) {
    this(array, first, strides, null);
  }

  /** The place so many elements further. */
  Place plus(long elements) {
    return new Place(array, Math.toIntExact(first + elements), strides, page);
  }

  boolean isSame(Place other) {
    return array == other.array && first == other.first && strides.equals(other.strides)
        && Objects.equals(page, other.page);
  }

  boolean moves() {
    return strides.stream().anyMatch(stride -> stride != 0);
  }
}
