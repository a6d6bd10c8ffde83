package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;

/**
 * {@code C (+)= alpha * op(A) * op(B)} in float32, where op is the matrix or its transpose and A and B are stored in any
 * form that a {@link MatrixSource} reads; quantized weights are decoded while they are packed and never exist whole.
 *
 * <p><b>Blocking</b> (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication). A is packed into panels
 * shared by all threads, up to {@link #MAX_PACKED_A} floats at a time. A task owns some columns of C; for each
 * {@link #DEPTH} of the summed axis its part of B stays in its core's second-level cache while the register tile goes over
 * {@link #SUM_TILES} tiles of rows. Their sums lie beside it in that cache until all cuts are added, and go to C once. Where
 * there are no more tiles than that, which 1,024 rows do not have, one cut of B is packed at a time, each into the place of
 * the one before, and so never leaves that cache. Few rows and a weight in BF16 are left to {@link SkinnyGemm}, a large float32
 * matrix and a thin one to {@link ThinGemm}.
 *
 * <p><b>Speed</b>, 1024 × 4096 × 4096 with B transposed on two cores with AVX-512 and a roof of about 475 GFLOP/s: 300
 * where each cut is added to C, 304 with the sums in cache, 331 with the next rows of A read ahead (best of 20), 7 %
 * more since the register tile adds to the sums itself, 2 % more since bounds are checked before its loop, and 3 to 4 %
 * more with {@link WidePanels}. Of a thread's time packing A now takes 1 %, packing B 3 (4 where it is not transposed),
 * waiting for the other thread 1 to 3; by leaving it out, A from the outer caches takes 4 % and taking the sums to C 1.
 * A register tile with its operands in cache reaches 97 % of the roof, 93 to 95 with several megabytes of B packed in
 * turn; on an Intel Xeon of 2023, whose third cache is far, 92 (100 by address) and 57. There twice as many tasks, of two
 * panels instead of four, with sums of eight times as many rows, brought B's part into the second cache for good and products
 * from 81 to 86 % of the roof to 88 or 89. Cuts of 1,024 instead of 512, after which a tile is half as often added to its
 * sums, gained 2 or 3 % there, and last tasks of one panel 1 to 3 where C has 1,024 columns. These are 21 panels and a
 * third: one thread then had half a panel more than the other, until the last two tasks shared what is left (1 to 2 % on the
 * Zen 5, up to 1 with 4,096 columns). For so few columns packing one cut of A at a time gains 2 to 7 %; where there are
 * 4,096 it loses 2. Reading the sums' lines before they are needed lost 1 or 2. Where there is one cut, tiles go straight to C.
 * While they lay down beside it first, and a call copied what was left of each row even where nothing was, a sum of 16
 * places took 1.3 to 2.2 times as long. Tiles three vectors wide are faster than those of one by about a third; packed
 * memory that begins at cache lines gives the tile a tenth more.
 *
 * <p><b>Order of sums.</b> The summed axis is cut at multiples of {@link #DEPTH}. Within a cut each number is a chain of
 * fused multiply-adds in ascending order from 0; the first cut is stored times alpha (or added to C), the others are
 * added to C in ascending order by a fused multiply-add with alpha. Nothing else enters: not m or n, nor a row's place
 * among others, nor the number of threads, nor the vector width. So a row's result is the same to the bit in any batch.
 */
final class Gemm {
  /** Extent of the summed axis that is packed at a time. Part of the result's definition, so one for all machines. */
  static final int DEPTH = 1024;

  /** 16 MiB: within a shared cache, or at least read in long runs. */
  private static final int MAX_PACKED_A = 1 << 22;
  /** Most of the summed axis that is packed at a time. */
  private static final int MAX_DEPTH = 4 * DEPTH;
  /** Panels of B that a task packs: with {@link #DEPTH}, 400 KiB at most, a part of the second-level cache. */
  private static final int MAX_PANELS = 2;
  /** Tiles of rows whose sums over several cuts lie together: 1,024 rows, 400 KiB at most, another part of that cache. */
  private static final int SUM_TILES = 1024 / GemmTile.ROWS;
  /** The last tasks, so many for each thread, have one panel each: threads then end at about the same time. */
  private static final int LAST_PANELS = 2;
  /** Fewer panels of B than this for each thread go over packed A too few times to bring it from the outer caches. */
  private static final int FEW_PANELS = 16;
  /** 4 MiB: where there are so few panels and more of A than this, one cut of it is packed at a time. */
  private static final int NEAR_PACKED_A = 1 << 20;
  /** Where the summed axis is shorter than this, more panels go into the same memory. */
  private static final int SHORT_DEPTH = 512;
  /** At most so many. */
  private static final int MAX_SHORT_PANELS = 128;
  /** Rows that a task of packing A takes. */
  private static final int PACK_ROWS = 8 * GemmTile.ROWS;
  /** The same where A is read transposed, so that its rows run along memory: long runs, one from each page. */
  private static final int PACK_COLUMNS = 1024;
  /** Where the columns alone give fewer tasks than this for each thread, the rows are shared out too. */
  private static final int TASKS_PER_THREAD = 3;

  private final Workers workers;
  private final SkinnyGemm fewRows;
  private final ThinGemm thin;

  Gemm(Workers workers) {
    this.workers = workers;
    fewRows = new SkinnyGemm(workers);
    thin = new ThinGemm(workers);
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

  /** How many rows of A, and how much of the summed axis, are packed at a time. */
  private record Blocking(int rows, int depth) {
    // Long enough runs of the summed axis come first: they keep C's tiles in cache. Rows then take what is left.
    static Blocking of(int rows, int depth, int maxDepth) {
      int depthLimit = Math.clamp(roundUp(depth, DEPTH), DEPTH, maxDepth);
      int rowLimit = Math.max(MAX_PACKED_A / depthLimit / PACK_ROWS, 1) * PACK_ROWS;
      int rowsAtOnce = Math.clamp(roundUp(rows, GemmTile.ROWS), GemmTile.ROWS, rowLimit);
      return new Blocking(rowsAtOnce, Math.min(depthLimit, depth));
    }
  }

  /**
   * Memory of one thread.
   *
   * @param sums tile by tile
   */
  record Packing(MemorySegment panels, MemorySegment rows, MemorySegment tile, MemorySegment sums, int[] read) {
    static Packing of(ScratchParts parts, int rows, int depth) {
      int sums = depth <= DEPTH ? 1 : MAX_PANELS * Math.min(SUM_TILES, Math.ceilDiv(rows, GemmTile.ROWS));
      return new Packing(parts.floats(MAX_PANELS * GemmTile.COLUMNS * Math.clamp(depth, SHORT_DEPTH, MAX_DEPTH)),
          parts.floats(Panels.scratch(Math.max(MAX_SHORT_PANELS * GemmTile.COLUMNS, PACK_COLUMNS),
              Math.min(depth, DEPTH))),
          parts.floats(GemmTile.SIZE), parts.floats(sums * GemmTile.SIZE), new int[1]);
    }
  }

  /** Scratch memory of a product. */
  record Memory(MemorySegment packedA, List<Packing> threads) {
    /** No fewer rows, and no shorter sum, take more: head and loss multiply fewer rows than they were planned for. */
    static Memory of(ScratchParts parts, int rows, int depth, int threads) {
      return new Memory(parts.floats(Math.min((long) roundUp(rows, GemmTile.ROWS) * depth, MAX_PACKED_A)),
          Stream.generate(() -> Packing.of(parts, rows, depth)).limit(threads).toList());
    }
  }

  /**
   * Bytes of scratch that a product of {@code [rows, depth]} and {@code [depth, anything]} needs, and any product of fewer rows
   * or a shorter sum.
   */
  static long scratchBytes(int rows, int depth, int threads) {
    ScratchParts parts = ScratchParts.counting();
    Memory.of(parts, rows, depth, threads);
    return parts.bytes();
  }

  /**
   * @param c F32 {@code [a.rows, b.columns]}, row-major, distinct from A and B
   * @param accumulate whether to add to C rather than overwrite it
   * @param scratch at least {@link #scratchBytes}
   */
  void multiply(Operand a, Operand b, float alpha, boolean accumulate, MemorySegment c,
      MemorySegment scratch) {
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
    if (SkinnyGemm.fits(a, b)) {
      fewRows.multiply(a, b, alpha, accumulate, c);
      return;
    }
    Memory memory = Memory.of(ScratchParts.of(scratch), a.rows(), a.columns(), workers.threads());
    if (ThinGemm.fits(a, b, memory.packedA.byteSize() / Float.BYTES)) {
      thin.multiply(a, b, alpha, accumulate, c, memory);
      return;
    }
    boolean oneCut = Math.ceilDiv(b.columns(), GemmTile.COLUMNS) < FEW_PANELS * workers.threads()
        && (long) a.rows() * a.columns() > NEAR_PACKED_A;
    Blocking blocking = Blocking.of(a.rows(), a.columns(), oneCut ? DEPTH : MAX_DEPTH);
    for (int row = 0; row < a.rows(); row += blocking.rows) {
      for (int k = 0; k < a.columns(); k += blocking.depth) {
        Block block = new Block(a, b, alpha, accumulate, c, memory, row, Math.min(blocking.rows, a.rows() - row), k,
            Math.min(blocking.depth, a.columns() - k));
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
    private final Memory memory;
    private final int firstRow;
    private final int rows;
    private final int firstDepth;
    private final int depth;
    private final int paddedRows;

    Block(Operand a, Operand b, float alpha, boolean accumulate, MemorySegment c, Memory memory, int firstRow,
        int rows, int firstDepth, int depth) {
      this.a = a;
      this.b = b;
      this.alpha = alpha;
      this.accumulate = accumulate;
      this.c = c;
      this.memory = memory;
      this.firstRow = firstRow;
      this.rows = rows;
      this.firstDepth = firstDepth;
      this.depth = depth;
      this.paddedRows = roundUp(rows, GemmTile.ROWS);
    }

    /** Lays A out as [cut of the summed axis][panel of rows][depth][ROWS]. */
    void packA() {
      int perTask = a.transposed ? PACK_COLUMNS : PACK_ROWS;
      int groups = Math.ceilDiv(rows, perTask);
      int cuts = Math.ceilDiv(depth, DEPTH);
      workers.parallel(groups * cuts, (task, worker) -> {
        int row = task % groups * perTask;
        int k = task / groups * DEPTH;
        int cut = Math.min(DEPTH, depth - k);
        Panels.pack(a.matrix, !a.transposed, firstRow + row, Math.min(perTask, rows - row), firstDepth + k, cut,
            GemmTile.ROWS, memory.packedA, (long) k * paddedRows + (long) row * cut, memory.threads.get(worker).rows);
      });
    }

    void multiply() {
      int panels = Math.ceilDiv(b.columns(), GemmTile.COLUMNS);
      int together = Math.clamp(MAX_PANELS * SHORT_DEPTH / depth, MAX_PANELS, MAX_SHORT_PANELS);
      int lastTasks = together == MAX_PANELS && workers.threads() > 1
          ? Math.min(LAST_PANELS * workers.threads(), panels)
          : 0;
      int firstPanels = panels - lastTasks;
      int firstTasks = Math.min(roundUp(Math.ceilDiv(firstPanels, together), workers.threads()), firstPanels);
      int wanted = TASKS_PER_THREAD * workers.threads();
      int rowTiles = paddedRows / GemmTile.ROWS;
      int rowTasks = workers.threads() == 1
          ? 1
          : Math.min(Math.ceilDiv(wanted, firstTasks + lastTasks), rowTiles);
      // With one vector of columns left over, the last two tasks share it and the panel before it.
      int left = b.columns() - (panels - 1) * GemmTile.COLUMNS;
      int lastBegin = b.columns() - left - (lastTasks > 1 && left <= LANES ? LANES : 0);
      workers.parallel((firstTasks + lastTasks) * rowTasks, (task, worker) -> {
        int columnTask = task / rowTasks;
        int rowTask = task % rowTasks;
        boolean first = columnTask < firstTasks;
        int firstPanel = first ? part(firstPanels, firstTasks, columnTask) : firstPanels + columnTask - firstTasks;
        int endPanel = first ? part(firstPanels, firstTasks, columnTask + 1) : firstPanel + 1;
        int firstColumn = Math.min(firstPanel * GemmTile.COLUMNS, lastBegin);
        int endColumn = endPanel == panels ? b.columns() : Math.min(endPanel * GemmTile.COLUMNS, lastBegin);
        new Part(firstColumn, endColumn, part(rowTiles, rowTasks, rowTask), part(rowTiles, rowTasks, rowTask + 1),
            worker)
            .multiply();
      });
    }

    private int part(int whole, int parts, int index) {
      return (int) ((long) whole * index / parts);
    }

    /** A task: some panels of columns and some tiles of rows. */
    private final class Part {
      private final int firstColumn;
      private final int columns;
      private final int panels;
      private final int firstTile;
      private final int lastTile;
      private final Packing packing;

      Part(int firstColumn, int endColumn, int firstTile, int lastTile, int worker) {
        this.firstColumn = firstColumn;
        columns = endColumn - firstColumn;
        panels = Math.ceilDiv(columns, GemmTile.COLUMNS);
        this.firstTile = firstTile;
        this.lastTile = lastTile;
        packing = memory.threads.get(worker);
      }

      void multiply() {
        if (depth <= DEPTH || lastTile - firstTile <= SUM_TILES) {
          // There is one cut, or all sums have room: each cut of B is used up before the next takes its place in the cache.
          for (int k = 0; k < depth; k += DEPTH) {
            packB(k, 0);
            multiply(k, 0, firstTile, lastTile);
          }
          return;
        }
        for (int k = 0; k < depth; k += DEPTH) {
          packB(k, (long) k * panels * GemmTile.COLUMNS);
        }
        for (int tile = firstTile; tile < lastTile; tile += SUM_TILES) {
          for (int k = 0; k < depth; k += DEPTH) {
            multiply(k, (long) k * panels * GemmTile.COLUMNS, tile, Math.min(tile + SUM_TILES, lastTile));
          }
        }
      }

      /** Packs a cut of B, {@code [panel][depth][COLUMNS]}. */
      private void packB(int k, long packed) {
        Panels.pack(b.matrix, b.transposed, firstColumn, columns, firstDepth + k, cut(k), GemmTile.COLUMNS,
            packing.panels, packed, packing.rows);
      }

      /** Adds a cut of the summed axis, of which B lies at {@code packed}, to the sums of some tiles of rows. */
      private void multiply(int k, long packed, int begin, int end) {
        for (int tile = begin; tile < end; tile++) {
          for (int panel = 0; panel < panels; panel++) {
            multiply(k, packed + (long) panel * cut(k) * GemmTile.COLUMNS, tile, panel,
                depth <= DEPTH ? 0 : ((tile - begin) * panels + panel) * GemmTile.SIZE);
          }
        }
      }

      private int cut(int k) {
        return Math.min(DEPTH, depth - k);
      }

      /** Adds one cut of the summed axis to a tile's sums; the first begins them, the last takes them to C. */
      private void multiply(int k, long packed, int rowTile, int panel, int at) {
        int row = rowTile * GemmTile.ROWS;
        int height = Math.min(GemmTile.ROWS, rows - row);
        int column = panel * GemmTile.COLUMNS;
        int width = Math.min(GemmTile.COLUMNS, columns - column);
        int cut = cut(k);
        long target = (long) (firstRow + row) * b.columns() + firstColumn + column;
        boolean anew = k == 0 && !accumulate && firstDepth == 0;
        long rowPanel = (long) k * paddedRows + (long) row * cut;
        long nextRowPanel = rowTile + 1 < lastTile ? rowPanel + (long) GemmTile.ROWS * cut : rowPanel;
        long next = nextRowPanel + (long) panel % MAX_PANELS * GemmTile.AHEAD * cut;
        if (depth <= DEPTH) {
          packing.read[0] += GemmTile.multiply(memory.packedA, rowPanel, packing.panels, packed, cut, width,
              packing.tile, 0, next);
          GemmTile.add(packing.tile, 0, GemmTile.COLUMNS, alpha, anew, c, target, b.columns(), height, width);
          return;
        }
        if (k == 0 && !anew) {
          GemmTile.copy(c, target, b.columns(), packing.sums, at, GemmTile.COLUMNS, height, width);
        }
        if (anew && alpha == 1) {
          packing.read[0] += GemmTile.multiply(memory.packedA, rowPanel, packing.panels, packed, cut, width,
              packing.sums, at, next);
        } else {
          packing.read[0] += GemmTile.multiply(memory.packedA, rowPanel, packing.panels, packed, cut, width,
              packing.tile, 0, next);
          GemmTile.add(packing.tile, alpha, anew, packing.sums, at);
        }
        if (k + cut == depth) {
          GemmTile.copy(packing.sums, at, GemmTile.COLUMNS, c, target, b.columns(), height, width);
        }
      }
    }
  }
}
