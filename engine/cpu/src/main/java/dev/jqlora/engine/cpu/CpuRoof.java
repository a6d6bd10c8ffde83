package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Alignment;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * What the processors can do at most, measured: fused multiply-adds that wait for nothing, and memory that is only
 * streamed. A kernel's speed is judged by its share of these.
 */
public final class CpuRoof implements AutoCloseable {
  /** Independent sums: two units with a latency of four cycles need eight. */
  private static final int CHAINS = 12;
  private static final int STEPS = 1 << 20;
  private static final int TASKS_PER_THREAD = 8;
  /** Floats that a task streams: 1 MiB, so that threads that are held up for a while lose no more. */
  private static final int CHUNK = 1 << 18;

  private final Workers workers;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;
  private final float[] sums;

  /**
   * Takes memory and touches all of it.
   *
   * @param threads how many threads compute, the caller among them
   * @param bytes of the memory that is streamed; several times the caches, or it is they that are measured
   */
  public CpuRoof(int threads, long bytes) {
    workers = new Workers(threads);
    long chunks = Math.max(3, bytes / (CHUNK * (long) Float.BYTES));
    memory = HugePages.allocate(arena, chunks * CHUNK * Float.BYTES, Alignment.BYTES);
    memory.fill((byte) 0);
    sums = new float[Math.toIntExact(Math.max(chunks, (long) threads * TASKS_PER_THREAD))];
  }

  /** Bits of the vectors that kernels compute with. */
  public static int vectorBits() {
    return LANES * Float.SIZE;
  }

  /** Runs fused multiply-adds on all threads; returns how many floating-point operations that were, two for each. */
  public double multiplyAdds() {
    int tasks = workers.threads() * TASKS_PER_THREAD;
    workers.parallel(tasks, task -> sums[task] = chains(STEPS));
    return 2.0 * tasks * STEPS * CHAINS * LANES;
  }

  private static float chains(int steps) {
    FloatVector a = FloatVector.broadcast(FLOATS, 0.999f);
    FloatVector b = FloatVector.broadcast(FLOATS, 0.001f);
    // Chains that began alike could be computed once for all.
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0.add(b);
    FloatVector s2 = s1.add(b);
    FloatVector s3 = s2.add(b);
    FloatVector s4 = s3.add(b);
    FloatVector s5 = s4.add(b);
    FloatVector s6 = s5.add(b);
    FloatVector s7 = s6.add(b);
    FloatVector s8 = s7.add(b);
    FloatVector s9 = s8.add(b);
    FloatVector s10 = s9.add(b);
    FloatVector s11 = s10.add(b);
    for (int i = 0; i < steps; i++) {
      s0 = s0.fma(a, b);
      s1 = s1.fma(a, b);
      s2 = s2.fma(a, b);
      s3 = s3.fma(a, b);
      s4 = s4.fma(a, b);
      s5 = s5.fma(a, b);
      s6 = s6.fma(a, b);
      s7 = s7.fma(a, b);
      s8 = s8.fma(a, b);
      s9 = s9.fma(a, b);
      s10 = s10.fma(a, b);
      s11 = s11.fma(a, b);
    }
    return LaneSum.of(s0.add(s1).add(s2).add(s3).add(s4.add(s5).add(s6).add(s7)).add(s8.add(s9).add(s10).add(s11)));
  }

  /** Reads all of the memory once on all threads; returns the bytes. */
  public double read() {
    int chunks = Math.toIntExact(memory.byteSize() / ((long) CHUNK * Float.BYTES));
    workers.parallel(chunks, task -> sums[task] = sum(FloatMemory.address(memory, (long) task * CHUNK, CHUNK)));
    return memory.byteSize();
  }

  private static float sum(long at) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    for (int i = 0; i < CHUNK; i += 4 * LANES) {
      s0 = s0.add(FloatMemory.loadAt(at + i * STEP));
      s1 = s1.add(FloatMemory.loadAt(at + (i + LANES) * STEP));
      s2 = s2.add(FloatMemory.loadAt(at + (i + 2 * LANES) * STEP));
      s3 = s3.add(FloatMemory.loadAt(at + (i + 3 * LANES) * STEP));
    }
    return LaneSum.of(s0.add(s1).add(s2.add(s3)));
  }

  /**
   * The triad {@code a = b + s · c} over a third of the memory for each (McCalpin's STREAM) on all threads; returns the
   * bytes that it names, two read and one written. What the cache reads of a line before it is written is not counted.
   */
  public double triad() {
    int chunks = Math.toIntExact(memory.byteSize() / ((long) CHUNK * Float.BYTES) / 3);
    long part = (long) chunks * CHUNK;
    workers.parallel(chunks, task -> {
      long first = (long) task * CHUNK;
      triad(FloatMemory.address(memory, first, CHUNK), FloatMemory.address(memory, part + first, CHUNK),
          FloatMemory.address(memory, 2 * part + first, CHUNK));
    });
    return 3.0 * part * Float.BYTES;
  }

  private static void triad(long a, long b, long c) {
    FloatVector s = FloatVector.broadcast(FLOATS, 3f);
    for (int i = 0; i < CHUNK; i += LANES) {
      FloatMemory.storeAt(FloatMemory.loadAt(c + i * STEP).fma(s, FloatMemory.loadAt(b + i * STEP)), a + i * STEP);
    }
  }

  @Override
  public void close() {
    workers.close();
    arena.close();
  }
}
