package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.op.Embedding;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorMask;

/** Rows of a table by their numbers, and the table's gradient. */
final class EmbeddingKernel {
  /** Columns of the table's gradient that one task sums. */
  private static final int COLUMNS = 256;

  private EmbeddingKernel() {}

  /**
   * {@code y[i] = table[ids[i]]}
   *
   * @param ids I32 {@code [count]}, rows of the table
   * @param y F32 {@code [count, table.columns]}
   */
  static void gather(Workers workers, MatrixSource table, MemorySegment ids, int count, MemorySegment y) {
    int width = table.columns();
    workers.rows(count, width, i -> {
      int id = Embedding.checkId(FloatMemory.getInt(ids, i), table.rows());
      table.read(id, 0, width, y, (long) i * width);
    });
  }

  /** {@code dtable[r] = Σ dy[i] over ids[i] = r}, in order of i; rows that no id names become 0. */
  static void scatterAdd(Workers workers, MemorySegment ids, MemorySegment dy, int count, int rows, int width,
      MemorySegment dtable) {
    workers.ranges((long) rows * width,
        (first, end) -> dtable.asSlice(first * Float.BYTES, (end - first) * Float.BYTES).fill((byte) 0));
    workers.parallel(Math.ceilDiv(width, COLUMNS), task -> {
      int end = Math.min(width, (task + 1) * COLUMNS);
      for (int i = 0; i < count; i++) {
        int id = Embedding.checkId(FloatMemory.getInt(ids, i), rows);
        long source = (long) i * width;
        long target = (long) id * width;
        for (int j = task * COLUMNS; j < end; j += LANES) {
          VectorMask<Float> present = FloatMemory.tail(end - j);
          store(load(dtable, target + j, present).add(load(dy, source + j, present)), dtable, target + j, present);
        }
      }
    });
  }
}
