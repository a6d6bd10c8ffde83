package dev.jqlora.engine.cuda;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.tensor.Alignment;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** Where the feeds or the fetches of a program lie in one piece of page-locked memory. */
final class Mail {
  private record Place(long offset, long bytes) {}

  private final Map<String, Place> places = new LinkedHashMap<>();
  private final long bytes;

  Mail(Map<String, Operand> operands) {
    long end = 0;
    for (Map.Entry<String, Operand> entry : operands.entrySet()) {
      Place place = new Place(end, entry.getValue().type().bytes());
      places.put(entry.getKey(), place);
      end += Alignment.roundUp(place.bytes);
    }
    bytes = end;
  }

  long bytes() {
    return bytes;
  }

  private Place place(String name) {
    return Objects.requireNonNull(places.get(name), name);
  }

  long offset(String name) {
    return place(name).offset;
  }

  MemorySegment slice(String name, Driver.Pinned memory) {
    return memory.segment().asSlice(place(name).offset, place(name).bytes);
  }
}
