package dev.jqlora.engine.cuda;

import java.util.Map;

/**
 * What a multiprocessor of a generation holds at once (NVIDIA, <i>CUDA C++ Programming Guide</i>, technical specifications per
 * compute capability). All have 65,536 registers, a quarter for each of four schedulers, given to warps by 256.
 *
 * @param sharedBytes of memory that its blocks share out; each takes 1 KiB more than it asks for
 */
record Multiprocessor(int warps, int blocks, int sharedBytes) {
  static final Map<String, Multiprocessor> BY_TARGET = Map.of("sm_80", new Multiprocessor(64, 32, 164 << 10), "sm_86",
      new Multiprocessor(48, 16, 100 << 10), "sm_89", new Multiprocessor(48, 24, 100 << 10), "sm_90",
      new Multiprocessor(64, 32, 228 << 10));
  private static final int WARP = 32;
  private static final int SCHEDULERS = 4;
  private static final int SCHEDULER_REGISTERS = 65_536 / SCHEDULERS;
  private static final int REGISTER_UNIT = 256;
  private static final int SHARED_UNIT = 128;
  private static final int RESERVED_SHARED_BYTES = 1024;

  /** How many blocks of a kernel are resident together. */
  int residentBlocks(int threads, int registers, int sharedOfBlock) {
    int warpsOfBlock = (threads + WARP - 1) / WARP;
    int byRegisters = SCHEDULERS * (SCHEDULER_REGISTERS / roundUp(registers * WARP, REGISTER_UNIT));
    int byShared = sharedBytes / (roundUp(sharedOfBlock, SHARED_UNIT) + RESERVED_SHARED_BYTES);
    return Math.min(Math.min(blocks, byShared), Math.min(warps, byRegisters) / warpsOfBlock);
  }

  /** The share of the warps that it could hold, in percent. */
  int occupancy(int threads, int residentBlocks) {
    return 100 * residentBlocks * ((threads + WARP - 1) / WARP) / warps;
  }

  private static int roundUp(int number, int unit) {
    return (number + unit - 1) / unit * unit;
  }
}
