package dev.jqlora.engine.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * {@code C (+)= alpha * op(A) * op(B)} in float32, where op is the matrix or its transpose and A and B are stored in any
 * form that a {@link MatrixSource} reads; quantized weights are decoded while they are packed and never exist whole.
 *
 * <p><b>Blocking</b> (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication). A is packed into panels
 * shared by all threads, up to {@link #MAX_PACKED_A} floats at a time. A task owns some columns of C; for each
 * {@link #DEPTH} of the summed axis it packs its part of B, which then stays in its core's second-level cache, and runs
 * the register tile over all rows.
 *
 * <p><b>Speed</b>, 1024 × 4096 × 4096 on two cores with AVX-512 (fused multiply-add roof 230 GFLOP/s): 201 with B transposed,
 * 212 with it as it is, 210 with A transposed; an NF4 weight, decoded on the way, 197 and 207, double-quantized 195 and 212.
 * What each choice is worth, by one core's processor time: tiles one vector wide 75 GFLOP/s, three vectors wide 97; those
 * with vectors of 256 bits 67, of 128 bits 41.
 *
 * <p><b>Order of sums.</b> The summed axis is cut at multiples of {@link #DEPTH}. Within a cut each number is a chain of
 * fused multiply-adds in ascending order from 0; the first cut is stored times alpha (or added to C), the others are
 * added to C in ascending order by a fused multiply-add with alpha. Nothing else enters: not m or n, nor a row's place
 * among others, nor the number of threads, nor the vector width. So a row's result is the same to the bit in any batch.
 */
final class Gemm {
  /** Extent of the summed axis that is packed at a time. Part of the result's definition, so one for all machines. */
  static final int DEPTH = 512;

  /** 16 MiB: within a shared cache, or at least read in long runs. */
  private static final int MAX_PACKED_A = 1 << 22;
  /** Panels of B that a task packs: with {@link #DEPTH}, 400 KiB at most, a part of the second-level cache. */
  private static final int MAX_PANELS = 4;
  /** Rows that a task of packing A takes. */
  private static final int PACK_ROWS = 8 * GemmTile.ROWS;
  /** Where the columns alone give fewer tasks than this for each thread, the rows are shared out too. */
  private static final int TASKS_PER_THREAD = 4;

  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Workers workers;
  private final Scratch[] scratch;
  private float[] packedA = new float[0];

  Gemm(Workers workers) {
    this.workers = workers;
    scratch = new Scratch[workers.threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  /** An operand: a matrix, and whether it is to be read transposed. */
  record Operand(MatrixSource matrix, boolean transposed) {
    /** The matrix as it is. */
    static Operand plain(MatrixSource matrix) {
      return new Operand(matrix, false);
    }

    /** The transposed matrix. */
    static Operand transposed(MatrixSource matrix) {
      return new Operand(matrix, true);
    }

    int rows() {
      return transposed ? matrix.columns() : matrix.rows();
    }

    int columns() {
      return transposed ? matrix.rows() : matrix.columns();
    }
  }

  /** Memory of one thread. */
  private static final class Scratch {
    private final float[] packedB = new float[MAX_PANELS * GemmTile.COLUMNS * DEPTH];
    private final float[] packing = new float[Panels.scratch(
        Math.max(MAX_PANELS * GemmTile.COLUMNS, PACK_ROWS), DEPTH)];
    private final float[] tile = new float[GemmTile.ROWS * GemmTile.COLUMNS];
  }

  /**
   * @param c F32 {@code [a.rows, b.columns]}, row-major, distinct from A and B
   * @param accumulate whether to add to C rather than overwrite it
   */
  void multiply(Operand a, Operand b, float alpha, boolean accumulate, MemorySegment c) {
    if (a.columns() != b.rows()) {
      throw new IllegalArgumentException("inner extents differ: %d and %d".formatted(a.columns(), b.rows()));
    }
    if (c.byteSize() != (long) a.rows() * b.columns() * Float.BYTES) {
      throw new IllegalArgumentException(
          "C takes %d x %d floats, not %d bytes".formatted(a.rows(), b.columns(), c.byteSize()));
    }
    if (a.columns() == 0 && !accumulate) {
      c.fill((byte) 0);
    }
    if (a.rows() == 0 || b.columns() == 0 || a.columns() == 0) {
      return;
    }
    // Long enough runs of the summed axis come first: they keep C's tiles in cache. Rows then take what is left.
    int depthLimit = Math.min(roundUp(a.columns(), DEPTH), 8 * DEPTH);
    int rowLimit = Math.max(MAX_PACKED_A / depthLimit / PACK_ROWS, 1) * PACK_ROWS;
    int rows = Math.min(rowLimit, roundUp(a.rows(), GemmTile.ROWS));
    int depth = Math.max(MAX_PACKED_A / roundUp(rows, PACK_ROWS) / DEPTH, 1) * DEPTH;
    for (int row = 0; row < a.rows(); row += rows) {
      for (int k = 0; k < a.columns(); k += depth) {
        Block block = new Block(a, b, alpha, accumulate, c, row, Math.min(rows, a.rows() - row), k,
            Math.min(depth, a.columns() - k));
        block.packA();
        block.multiply();
      }
    }
  }

  private static int roundUp(int value, int multiple) {
    return Math.ceilDiv(value, multiple) * multiple;
  }

  /** Some rows of C and a run of the summed axis: as much of A as is packed at a time. */
  private final class Block {
    private final Operand a;
    private final Operand b;
    private final float alpha;
    private final boolean accumulate;
    private final MemorySegment c;
    private final int firstRow;
    private final int rows;
    private final int firstDepth;
    private final int depth;
    private final int paddedRows;

    Block(Operand a, Operand b, float alpha, boolean accumulate, MemorySegment c, int firstRow, int rows,
        int firstDepth,
        int depth) {
      this.a = a;
      this.b = b;
      this.alpha = alpha;
      this.accumulate = accumulate;
      this.c = c;
      this.firstRow = firstRow;
      this.rows = rows;
      this.firstDepth = firstDepth;
      this.depth = depth;
      this.paddedRows = roundUp(rows, GemmTile.ROWS);
    }

    /** Lays A out as [cut of the summed axis][panel of rows][depth][ROWS]. */
    void packA() {
      int needed = Math.multiplyExact(paddedRows, depth);
      if (packedA.length < needed) {
        packedA = new float[needed];
      }
      int groups = Math.ceilDiv(rows, PACK_ROWS);
      int cuts = Math.ceilDiv(depth, DEPTH);
      workers.parallel(groups * cuts, (task, worker) -> {
        int row = task % groups * PACK_ROWS;
        int k = task / groups * DEPTH;
        int cut = Math.min(DEPTH, depth - k);
        Panels.pack(a.matrix, !a.transposed, firstRow + row, Math.min(PACK_ROWS, rows - row), firstDepth + k, cut,
            GemmTile.ROWS, packedA, k * paddedRows + row * cut, scratch[worker].packing);
      });
    }

    void multiply() {
      int panels = Math.ceilDiv(b.columns(), GemmTile.COLUMNS);
      int columnTasks = roundUp(Math.ceilDiv(panels, MAX_PANELS), workers.threads());
      columnTasks = Math.min(columnTasks, panels);
      int wanted = TASKS_PER_THREAD * workers.threads();
      int rowTiles = paddedRows / GemmTile.ROWS;
      int rowTasks = workers.threads() == 1 ? 1 : Math.min(Math.ceilDiv(wanted, columnTasks), rowTiles);
      int columnParts = columnTasks;
      workers.parallel(columnTasks * rowTasks, (task, worker) -> {
        int columnTask = task / rowTasks;
        int rowTask = task % rowTasks;
        multiply(part(panels, columnParts, columnTask), part(panels, columnParts, columnTask + 1),
            part(rowTiles, rowTasks, rowTask), part(rowTiles, rowTasks, rowTask + 1), scratch[worker]);
      });
    }

    private int part(int whole, int parts, int index) {
      return (int) ((long) whole * index / parts);
    }

    private void multiply(int firstPanel, int lastPanel, int firstTile, int lastTile, Scratch memory) {
      int firstColumn = firstPanel * GemmTile.COLUMNS;
      int columns = Math.min(lastPanel * GemmTile.COLUMNS, b.columns()) - firstColumn;
      for (int k = 0; k < depth; k += DEPTH) {
        int cut = Math.min(DEPTH, depth - k);
        Panels.pack(b.matrix, b.transposed, firstColumn, columns, firstDepth + k, cut, GemmTile.COLUMNS, memory.packedB,
            0, memory.packing);
        boolean add = accumulate || firstDepth + k > 0;
        for (int rowTile = firstTile; rowTile < lastTile; rowTile++) {
          int row = rowTile * GemmTile.ROWS;
          for (int column = 0; column < columns; column += GemmTile.COLUMNS) {
            int width = Math.min(GemmTile.COLUMNS, columns - column);
            GemmTile.multiply(packedA, k * paddedRows + row * cut, memory.packedB, column * cut, cut, width,
                memory.tile, 0);
            store(memory.tile, firstRow + row, Math.min(GemmTile.ROWS, rows - row), firstColumn + column, width, add);
          }
        }
      }
    }

    private void store(float[] tile, int row, int height, int column, int width, boolean add) {
      int vectorEnd = VectorWidth.FLOATS.loopBound(width);
      for (int r = 0; r < height; r++) {
        long target = ((long) (row + r) * b.columns() + column) * Float.BYTES;
        int source = r * GemmTile.COLUMNS;
        for (int j = 0; j < vectorEnd; j += VectorWidth.LANES) {
          FloatVector sum = FloatVector.fromArray(VectorWidth.FLOATS, tile, source + j);
          long at = target + (long) j * Float.BYTES;
          FloatVector value = add
              ? sum.fma(FloatVector.broadcast(VectorWidth.FLOATS, alpha),
                  FloatVector.fromMemorySegment(VectorWidth.FLOATS, c, at, ByteOrder.LITTLE_ENDIAN))
              : sum.mul(alpha);
          value.intoMemorySegment(c, at, ByteOrder.LITTLE_ENDIAN);
        }
        for (int j = vectorEnd; j < width; j++) {
          long at = target + (long) j * Float.BYTES;
          float sum = tile[source + j];
          c.set(F32, at, add ? Math.fma(alpha, sum, c.get(F32, at)) : alpha * sum);
        }
      }
    }
  }
}
