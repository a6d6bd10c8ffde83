package dev.jqlora.engine.cuda;

/** How many blocks a launch has along each axis. */
record Grid(int x, int y, int z) {
  /** Threads of a block where each works on elements, or a block on a row. */
  static final int THREADS = 256;
  /** Enough blocks to fill any GPU several times; threads go on with further elements. */
  private static final long MOST_BLOCKS = 4096;

  /** Whether there is nothing to do: the driver refuses to launch no blocks. */
  boolean isEmpty() {
    return x == 0 || y == 0 || z == 0;
  }

  static Grid of(long x) {
    return new Grid(Math.toIntExact(x), 1, 1);
  }

  static Grid of(long x, long y) {
    return new Grid(Math.toIntExact(x), Math.toIntExact(y), 1);
  }

  /** Blocks of {@link #THREADS} threads for a loop over elements. */
  static Grid elements(long count) {
    return of(Math.min(MOST_BLOCKS, Math.ceilDiv(count, THREADS)));
  }

  /** One block of {@link #THREADS} threads for so many elements each. */
  static Grid covering(long count) {
    return of(Math.ceilDiv(count, THREADS));
  }
}
