package dev.jqlora.engine.tornado;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The hash codes of a task graph's objects. By these alone 5.2.0 tells objects apart: of two with the same one, the tasks
 * of both would silently be given the first.
 */
final class Hashes {
  private final Set<Integer> taken = new HashSet<>();

  /** Makes an object that none of the others is taken for; it is to be added. */
  <T> T make(Supplier<T> maker) {
    T made = maker.get();
    while (taken.contains(made.hashCode())) {
      made = maker.get();
    }
    return made;
  }

  /** Takes in objects, each once. */
  void add(Object... objects) {
    for (Object object : objects) {
      if (!taken.add(object.hashCode())) {
        throw new IllegalStateException("two arrays of a task graph have the same hash code, by which TornadoVM would"
            + " confuse them: this happens once in millions of runs, so run again");
      }
    }
  }
}
