package dev.jqlora.engine.cuda;

import dev.jqlora.engine.plan.Operand;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The feeds or the fetches of a program in page-locked memory, which is made when they are first wanted. */
final class Mailbox implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  private final Map<String, Long> offsets = new LinkedHashMap<>();
  private final long bytes;
  private Driver.@Nullable Pinned memory;

  Mailbox(Map<String, Operand> operands) {
    long end = 0;
    for (Map.Entry<String, Operand> entry : operands.entrySet()) {
      offsets.put(entry.getKey(), end);
      end += Math.ceilDiv(entry.getValue().type().bytes(), ALIGNMENT) * ALIGNMENT;
    }
    bytes = end;
  }

  Driver.Pinned memory() {
    Driver.Pinned there = memory;
    if (there == null) {
      there = Driver.Pinned.allocate(bytes);
      memory = there;
    }
    return there;
  }

  long offset(String name) {
    return Objects.requireNonNull(offsets.get(name), name);
  }

  MemorySegment slot(String name, Operand operand) {
    return memory().segment().asSlice(offset(name), operand.type().bytes());
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.free();
      memory = null;
    }
  }
}
