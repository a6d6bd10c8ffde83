package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.ADDRESSES;
import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * {@link Gemm} of a large float32 matrix and a thin one, as a layer's input and gradient are multiplied by an adapter of small
 * rank. The large one is read where it lies, row after row: each of its numbers is used a few times only, which packing is
 * not worth. Sums have the order that {@link Gemm} defines. With 1,024 rows, a rank of 16 and two threads on an Intel Xeon of
 * 2023, these products take 0.32 to 0.67 of the time that they took by packing both.
 *
 * <ul>
 * <li>{@code C[m, r] = X[m, k] B[k, r]}: eight rows of X and a vector of columns of C are a tile, B is packed.
 * <li>{@code C[r, n] = T[k, r]ᵀ X[k, n]}, or its transpose: eight rows of X at a time are added to sums for all of T's
 * columns, which lie in the nearest cache.
 * </ul>
 */
final class ThinGemm {
  /** Most columns of the thin matrix. */
  static final int MAX_COLUMNS = 64;

  /** Rows of the large matrix that are read together. */
  private static final int ROWS = 8;
  /** Rows of a thin C that a task takes. */
  private static final int TASK_ROWS = 4 * ROWS;
  /**
   * Sums that lie together, with vectors of 512 bits 32 KiB: for a rank of 16, rows of X are read by runs of 2 KiB. Runs of 1
   * KiB took a fifth longer, of 4 and 8 as long.
   */
  private static final int SUMS = 512 * LANES;
  /** Columns of sums that become rows at a time: what a product of any depth has room for. */
  private static final int TURNED = 256;
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Workers workers;

  ThinGemm(Workers workers) {
    this.workers = workers;
  }

  /** Whether this class computes the product, if the thin matrix has room in {@code room} floats. */
  static boolean fits(Gemm.Operand a, Gemm.Operand b, long room) {
    int columns = a.transposed() ? Math.min(a.rows(), b.columns()) : roundUp(b.columns());
    return columns <= MAX_COLUMNS && (long) columns * a.columns() <= room && a.matrix().floats() != null
        && (!a.transposed() || !b.transposed() && b.matrix().floats() != null);
  }

  /** To whole vectors. */
  private static int roundUp(int columns) {
    return Math.ceilDiv(columns, LANES) * LANES;
  }

  void multiply(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate, MemorySegment c, Gemm.Memory memory) {
    if (!a.transposed()) {
      new ThinResult(a.matrix(), b, alpha, accumulate, c, memory).multiply();
    } else if (a.rows() <= b.columns()) {
      new ThinFactor(a.matrix(), b.matrix(), false, alpha, accumulate, c, memory).multiply();
    } else {
      new ThinFactor(b.matrix(), a.matrix(), true, alpha, accumulate, c, memory).multiply();
    }
  }

  private static MemorySegment floats(MatrixSource matrix) {
    MemorySegment floats = matrix.floats();
    if (floats == null) {
      throw new IllegalArgumentException("not float32 in memory outside the heap");
    }
    return floats;
  }

  /** {@code C[m, r] = X[m, k] B[k, r]}. */
  private final class ThinResult {
    private final MemorySegment x;
    private final int rows;
    private final int depth;
    private final Gemm.Operand b;
    private final int columns;
    private final float alpha;
    private final boolean accumulate;
    private final MemorySegment c;
    private final Gemm.Memory memory;

    ThinResult(MatrixSource x, Gemm.Operand b, float alpha, boolean accumulate, MemorySegment c, Gemm.Memory memory) {
      this.x = floats(x);
      rows = x.rows();
      depth = x.columns();
      this.b = b;
      columns = b.columns();
      this.alpha = alpha;
      this.accumulate = accumulate;
      this.c = c;
      this.memory = memory;
    }

    void multiply() {
      workers.parallel(Math.ceilDiv(depth, Gemm.DEPTH), (task, worker) -> {
        int k = task * Gemm.DEPTH;
        Panels.pack(b.matrix(), b.transposed(), 0, columns, k, cut(k), LANES, memory.packedA(), packed(k),
            memory.threads().get(worker).rows());
      });
      workers.parallel(Math.ceilDiv(rows, TASK_ROWS), (task, worker) -> {
        int begin = task * TASK_ROWS;
        int end = Math.min(begin + TASK_ROWS, rows);
        for (int k = 0; k < depth; k += Gemm.DEPTH) {
          for (int row = begin; row < end; row += ROWS) {
            addCut(row, Math.min(ROWS, end - row), k, memory.threads().get(worker).tile());
          }
        }
      });
    }

    private int cut(int k) {
      return Math.min(Gemm.DEPTH, depth - k);
    }

    /** Where B's cut from k on is packed, {@code [vector][cut][LANES]}. */
    private long packed(int k) {
      return (long) k * roundUp(columns);
    }

    private void addCut(int row, int height, int k, MemorySegment tile) {
      int cut = cut(k);
      for (int column = 0; column < columns; column += LANES) {
        eightRows(x, (long) row * depth + k, depth, height, memory.packedA(), packed(k) + (long) column * cut, cut,
            tile);
        GemmTile.add(tile, 0, LANES, alpha, k == 0 && !accumulate, c, (long) row * columns + column, columns, height,
            Math.min(LANES, columns - column));
      }
    }
  }

  /**
   * Makes {@code [ROWS][LANES]} of {@code tile} the chains of a cut. Rows of x past {@code height} are the last one again.
   *
   * @param at where the first row's cut begins, in floats; the next {@code pitch} behind
   */
  private static void eightRows(MemorySegment x, long at, long pitch, int height, MemorySegment b, long bOffset,
      int depth, MemorySegment tile) {
    long x0 = address(x, at, depth);
    long x1 = address(x, at + Math.min(1, height - 1) * pitch, depth);
    long x2 = address(x, at + Math.min(2, height - 1) * pitch, depth);
    long x3 = address(x, at + Math.min(3, height - 1) * pitch, depth);
    long x4 = address(x, at + Math.min(4, height - 1) * pitch, depth);
    long x5 = address(x, at + Math.min(5, height - 1) * pitch, depth);
    long x6 = address(x, at + Math.min(6, height - 1) * pitch, depth);
    long x7 = address(x, at + Math.min(7, height - 1) * pitch, depth);
    long bAt = address(b, bOffset, (long) depth * LANES);
    long to = address(tile, 0, ROWS * LANES);
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c0 = zero;
    FloatVector c1 = zero;
    FloatVector c2 = zero;
    FloatVector c3 = zero;
    FloatVector c4 = zero;
    FloatVector c5 = zero;
    FloatVector c6 = zero;
    FloatVector c7 = zero;
    for (int k = 0; k < depth; k++) {
      FloatVector row = loadAt(bAt);
      c0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x0 + k * STEP)).fma(row, c0);
      c1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x1 + k * STEP)).fma(row, c1);
      c2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x2 + k * STEP)).fma(row, c2);
      c3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x3 + k * STEP)).fma(row, c3);
      c4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x4 + k * STEP)).fma(row, c4);
      c5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x5 + k * STEP)).fma(row, c5);
      c6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x6 + k * STEP)).fma(row, c6);
      c7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, x7 + k * STEP)).fma(row, c7);
      bAt = bAt + LANES * STEP & ADDRESSES;
    }
    storeAt(c0, to);
    storeAt(c1, to + LANES * STEP);
    storeAt(c2, to + 2 * LANES * STEP);
    storeAt(c3, to + 3 * LANES * STEP);
    storeAt(c4, to + 4 * LANES * STEP);
    storeAt(c5, to + 5 * LANES * STEP);
    storeAt(c6, to + 6 * LANES * STEP);
    storeAt(c7, to + 7 * LANES * STEP);
  }

  /** {@code C[r, n] = T[k, r]ᵀ X[k, n]}, or its transpose. */
  private final class ThinFactor {
    private final MemorySegment thin;
    private final int thinColumns;
    private final MemorySegment x;
    private final int columns;
    private final int depth;
    private final boolean transposed;
    private final float alpha;
    private final boolean accumulate;
    private final MemorySegment c;
    private final Gemm.Memory memory;
    /** Columns of X that a task takes. */
    private final int taskColumns;

    ThinFactor(MatrixSource thin, MatrixSource x, boolean transposed, float alpha, boolean accumulate, MemorySegment c,
        Gemm.Memory memory) {
      this.thin = floats(thin);
      thinColumns = thin.columns();
      this.x = floats(x);
      columns = x.columns();
      depth = x.rows();
      this.transposed = transposed;
      this.alpha = alpha;
      this.accumulate = accumulate;
      this.c = c;
      this.memory = memory;
      taskColumns = SUMS / roundUp(thinColumns) / LANES * LANES;
    }

    void multiply() {
      workers.parallel(Math.ceilDiv(depth, Gemm.DEPTH), (task, _) -> pack(task * Gemm.DEPTH));
      workers.parallel(Math.ceilDiv(columns, taskColumns), (task, worker) -> {
        int column = task * taskColumns;
        for (int k = 0; k < depth; k += Gemm.DEPTH) {
          addCut(k, column, Math.min(taskColumns, columns - column), memory.threads().get(worker));
        }
      });
    }

    private int cut(int k) {
      return Math.min(Gemm.DEPTH, depth - k);
    }

    /** Lays a cut of T out as [eight rows][column][8]; rows that are left over follow as they are. */
    private void pack(int first) {
      int whole = cut(first) / ROWS * ROWS;
      for (int k = first; k < first + cut(first); k++) {
        for (int column = 0; column < thinColumns; column++) {
          long to = k - first < whole
              ? (long) k / ROWS * ROWS * thinColumns + column * ROWS + k % ROWS
              : (long) k * thinColumns + column;
          FloatMemory.set(memory.packedA(), to, FloatMemory.get(thin, (long) k * thinColumns + column));
        }
      }
    }

    /** Adds a cut's chains to some columns of C, or rows of its transpose. */
    private void addCut(int first, int column, int width, Gemm.Packing thread) {
      MemorySegment sums = thread.panels();
      int pitch = roundUp(width);
      int whole = FLOATS.loopBound(width);
      FloatMemory.fill(sums, 0, (long) thinColumns * pitch, 0);
      int k = first;
      for (; k + ROWS <= first + cut(first); k += ROWS) {
        addEight((long) k * columns + column, whole, (long) k * thinColumns, sums, pitch);
      }
      for (; k < first + cut(first); k++) {
        addOne((long) k * columns + column, whole, (long) k * thinColumns, sums, pitch);
      }
      for (int i = whole; i < width; i++) {
        addColumn(first, column + i, sums, i, pitch);
      }
      boolean anew = first == 0 && !accumulate;
      if (!transposed) {
        GemmTile.add(sums, 0, pitch, alpha, anew, c, column, columns, thinColumns, width);
        return;
      }
      MatrixSource source = MatrixSource.of(sums, thinColumns, pitch);
      for (int at = 0; at < width; at += TURNED) {
        int count = Math.min(TURNED, width - at);
        Panels.pack(source, true, 0, thinColumns, at, count, LANES, sums, SUMS, thread.rows());
        for (int i = 0; i < thinColumns; i += LANES) {
          GemmTile.add(sums, SUMS + (long) i * count, LANES, alpha, anew, c, (long) (column + at) * thinColumns + i,
              thinColumns, count, Math.min(LANES, thinColumns - i));
        }
      }
    }

    /** Adds eight rows of X to the sums, each with its numbers of T. */
    private void addEight(long at, int width, long thinAt, MemorySegment sums, int pitch) {
      long x0 = address(x, at, 7L * columns + width);
      long rowBytes = columns * STEP;
      long packed = address(memory.packedA(), thinAt, (long) ROWS * thinColumns);
      long sumsAt = address(sums, 0, (long) thinColumns * pitch);
      long sumBytes = pitch * STEP;
      int thinColumns = this.thinColumns;
      for (int i = 0; i < width; i += LANES) {
        long from = x0 + i * STEP;
        FloatVector v0 = loadAt(from);
        FloatVector v1 = loadAt(from + rowBytes);
        FloatVector v2 = loadAt(from + 2 * rowBytes);
        FloatVector v3 = loadAt(from + 3 * rowBytes);
        FloatVector v4 = loadAt(from + 4 * rowBytes);
        FloatVector v5 = loadAt(from + 5 * rowBytes);
        FloatVector v6 = loadAt(from + 6 * rowBytes);
        FloatVector v7 = loadAt(from + 7 * rowBytes);
        long to = sumsAt + i * STEP & ADDRESSES;
        long t = packed;
        for (int row = 0; row < thinColumns; row++) {
          FloatVector sum = loadAt(to);
          sum = v0.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t)), sum);
          sum = v1.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + STEP)), sum);
          sum = v2.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 2 * STEP)), sum);
          sum = v3.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 3 * STEP)), sum);
          sum = v4.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 4 * STEP)), sum);
          sum = v5.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 5 * STEP)), sum);
          sum = v6.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 6 * STEP)), sum);
          sum = v7.fma(FloatVector.broadcast(FLOATS, MEMORY.get(F32, t + 7 * STEP)), sum);
          storeAt(sum, to);
          to = to + sumBytes & ADDRESSES;
          t = t + ROWS * STEP & ADDRESSES;
        }
      }
    }

    private void addOne(long at, int width, long thinAt, MemorySegment sums, int pitch) {
      for (int row = 0; row < thinColumns; row++) {
        FloatVector t = FloatVector.broadcast(FLOATS, FloatMemory.get(memory.packedA(), thinAt + row));
        long to = (long) row * pitch;
        for (int i = 0; i < width; i += LANES) {
          FloatMemory.store(FloatMemory.load(x, at + i).fma(t, FloatMemory.load(sums, to + i)), sums, to + i);
        }
      }
    }

    /** One column of X, of those behind the last whole vector. */
    private void addColumn(int first, int column, MemorySegment sums, int at, int pitch) {
      for (int row = 0; row < thinColumns; row++) {
        float sum = 0;
        for (int k = first; k < first + cut(first); k++) {
          sum = Math.fma(FloatMemory.get(x, (long) k * columns + column),
              FloatMemory.get(thin, (long) k * thinColumns + row), sum);
        }
        FloatMemory.set(sums, (long) row * pitch + at, sum);
      }
    }
  }
}
