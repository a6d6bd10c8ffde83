package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Alignment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The native memory of a session that counts as the device's. It counts every byte that it gives and takes back, apart from
 * the session's books, so that the two can be compared. For one thread.
 */
final class DeviceMemory {
  private long allocatedBytes;
  private long peakBytes;

  /** The most bytes that were allocated at once. */
  long peakBytes() {
    return peakBytes;
  }

  /** Memory that is given back together. */
  Region region() {
    return new Region();
  }

  final class Region implements AutoCloseable {
    private final Arena arena = Arena.ofShared();
    private long bytes;

    /** Zeroed memory that begins, and whose count ends, at a multiple of the alignment. */
    MemorySegment allocate(long size) {
      long aligned = Alignment.roundUp(size);
      MemorySegment memory = HugePages.allocate(arena, aligned, Alignment.BYTES);
      bytes += aligned;
      allocatedBytes += aligned;
      peakBytes = Math.max(peakBytes, allocatedBytes);
      return memory.asSlice(0, size);
    }

    @Override
    public void close() {
      arena.close();
      allocatedBytes -= bytes;
      bytes = 0;
    }
  }
}
