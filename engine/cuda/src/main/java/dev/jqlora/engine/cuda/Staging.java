package dev.jqlora.engine.cuda;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Copies between host memory of any kind and the device, through a piece of page-locked memory; waits for each copy. */
final class Staging implements AutoCloseable {
  private static final long BYTES = 16L << 20;

  private final Gpu gpu;
  private Driver.@Nullable Pinned room;

  Staging(Gpu gpu) {
    this.gpu = gpu;
  }

  /** @param state what is written, for errors */
  void copyIn(long address, MemorySegment bytes, String state) {
    Driver.Pinned through = room();
    for (long done = 0; done < bytes.byteSize(); done += BYTES) {
      long count = Math.min(BYTES, bytes.byteSize() - done);
      MemorySegment.copy(bytes, done, through.segment(), 0, count);
      Driver.copyIn(address + done, through, 0, count, gpu.stream());
      gpu.synchronize("writing state " + state);
    }
  }

  /** @param state what is read, for errors */
  void copyOut(MemorySegment target, long address, String state) {
    Driver.Pinned through = room();
    for (long done = 0; done < target.byteSize(); done += BYTES) {
      long count = Math.min(BYTES, target.byteSize() - done);
      Driver.copyOut(through, 0, address + done, count, gpu.stream());
      gpu.synchronize("reading state " + state);
      MemorySegment.copy(through.segment(), 0, target, done, count);
    }
  }

  private Driver.Pinned room() {
    Driver.Pinned there = room;
    if (there == null) {
      there = Driver.Pinned.allocate(BYTES);
      room = there;
    }
    return there;
  }

  @Override
  public void close() {
    if (room != null) {
      room.free();
      room = null;
    }
  }
}
