package dev.jqlora.engine.tensor;

/** Where tensors begin in memory of any kind: at a cache line, as long as the widest vector. */
public final class Alignment {
  /** Bytes at multiples of which states, pages, buffers of the arena and parts of scratch begin. */
  public static final long BYTES = 64;

  private Alignment() {}

  /** What so many bytes take where the next tensor begins at the alignment again. */
  public static long roundUp(long bytes) {
    return Math.ceilDiv(bytes, BYTES) * BYTES;
  }

  /** The most of so many bytes that ends at the alignment. */
  public static long roundDown(long bytes) {
    return Math.floorDiv(bytes, BYTES) * BYTES;
  }
}
