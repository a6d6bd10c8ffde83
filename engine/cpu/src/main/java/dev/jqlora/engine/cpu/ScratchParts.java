package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Alignment;
import java.lang.foreign.MemorySegment;

/**
 * Cuts a kernel's scratch memory into parts, aligned, since loads that cross cache lines cost a seventh of the matrix product's
 * speed. Without memory it only adds up what the parts take: the same code that uses
 * scratch says how much to plan.
 */
final class ScratchParts {
  private final MemorySegment memory;
  private final boolean counting;
  private long bytes;

  private ScratchParts(MemorySegment memory, boolean counting) {
    this.memory = memory;
    this.counting = counting;
  }

  /** Parts of no memory: they are counted and not to be touched. */
  static ScratchParts counting() {
    return new ScratchParts(MemorySegment.NULL, true);
  }

  static ScratchParts of(MemorySegment memory) {
    return new ScratchParts(memory, false);
  }

  /** The next part. */
  MemorySegment floats(long count) {
    return bytes(count * Float.BYTES);
  }

  /** The next part. */
  MemorySegment bytes(long count) {
    long offset = bytes;
    bytes += Alignment.roundUp(count);
    return counting ? MemorySegment.NULL : memory.asSlice(offset, count);
  }

  /** Bytes of all parts so far. */
  long bytes() {
    return bytes;
  }
}
