package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Slot;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.ToIntFunction;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/**
 * Tells a graph where the pages of its operands are: a small array that goes to the device before each run, from which the
 * graph's first task writes the offsets that other tasks read.
 */
final class PageSlots {
  /** Operands in pages that a graph may have. */
  private static final int MOST = 31;

  private record Entry(int at, int plus, Slot page) {}

  private final List<Entry> entries = new ArrayList<>();
  /** How many operands, then for each the entry of its offset, and the offset. */
  private final IntArray array;

  /** @param hashes of the graph */
  PageSlots(Hashes hashes) {
    array = hashes.make(() -> new IntArray(1 + 2 * MOST));
    array.init(0);
  }

  IntArray array() {
    return array;
  }

  void add(int entry, Place place) {
    entries.add(new Entry(entry, place.first(), Objects.requireNonNull(place.page())));
    array.set(0, entries.size());
    array.set(2 * entries.size() - 1, entry);
  }

  /** Writes down for the next run where the operands are; {@code element} tells it of a place in a state. */
  void fill(ToIntFunction<Slot> element) {
    for (int i = 0; i < entries.size(); i++) {
      array.set(2 * i + 2, element.applyAsInt(entries.get(i).page()) + entries.get(i).plus());
    }
  }

  static void locate(KernelContext context, IntArray slots, IntArray at) {
    int i = context.globalIdx;
    if (i < slots.get(0)) {
      at.set(slots.get(2 * i + 1), slots.get(2 * i + 2));
    }
  }
}
