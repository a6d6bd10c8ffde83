package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The gradient of {@link AttentionKernel}, again without a matrix of scores. Rows are the queries of all heads that share
 * a key-value head. For a block of rows and one of keys, with all products made of register tiles:
 *
 * <pre>
 *   s = q · kᵀ          p  = exp(s / √headDim - logSumExp)
 *   dp = dout · vᵀ      ds = p · (dp - delta) / √headDim,  delta = Σ dout · out
 *   dvᵀ += doutᵀ · p    dkᵀ += qᵀ · ds    dq += ds · k
 * </pre>
 *
 * <p>p and ds come out of the first two products with keys along the lanes, as dv and dk read them, and lie where they read
 * them; only for dq is ds transposed, a tile at a time. One task takes one key-value head and goes through its blocks in
 * order, so dk and dv are summed over rows and dq over keys in one fixed order. Blocks begin at the run's first token, so a
 * sequence's sums are cut elsewhere, and may differ in their last bits, if it stands elsewhere in the run.
 *
 * <p><b>Speed</b>, 1,024 tokens, 32 and 8 heads of 128, one core of an Intel Xeon (2023): 59 % of the roof while ds and the
 * results were turned number by number, and tiles copied on their way; 70 then. The tiles take three quarters of the time.
 * With two threads, finishing a block's products with a panel of keys before those with its values, so that one panel at a
 * time is in the nearest cache, gained another 1 to 3 %. In that order the compiler at first left a store out of its loop in
 * some runs, which cost up to 8 (see {@link GemmTile#add}). Blocks of half as many rows again, or of twice as many keys, gained
 * nothing.
 */
final class AttentionGradientKernel {
  private static final int ROW_PANELS = 4;
  private static final int KEY_PANELS = 4;
  /** Rows of a block; with {@link #KEYS}, p, ds and its transpose stay in the second-level cache. */
  private static final int ROWS = ROW_PANELS * GemmTile.COLUMNS;
  private static final int KEYS = KEY_PANELS * GemmTile.COLUMNS;
  /** Bytes of a vector, and of a row of p or ds. */
  private static final long VECTOR = (long) LANES * Float.BYTES;
  private static final long ROW = (long) GemmTile.COLUMNS * Float.BYTES;

  private final Workers workers;

  AttentionGradientKernel(Workers workers) {
    this.workers = workers;
  }

  /** What the gradient is computed from, and the gradients; shapes as in {@link AttentionKernel#forward}. */
  record Tensors(MemorySegment q, MemorySegment k, MemorySegment v, MemorySegment out, MemorySegment logSumExp,
      MemorySegment dout, MemorySegment dq, MemorySegment dk, MemorySegment dv) {}

  /**
   * Gradients by q, k and v of attention within a run of tokens.
   *
   * @param scratch at least {@link #scratchBytes}
   */
  void backward(AttentionShape shape, Tensors tensors, int tokens, AttentionShape.Visible visible,
      MemorySegment scratch) {
    List<Memory> memory = Memory.of(ScratchParts.of(scratch), shape, tokens, workers.threads());
    workers.parallel(shape.kvHeads(),
        (kvHead, worker) -> new Head(shape, tensors, tokens, visible, kvHead, memory.get(worker)).run());
  }

  /** Bytes of scratch that {@link #backward} needs. */
  static long scratchBytes(AttentionShape shape, int tokens, int threads) {
    ScratchParts parts = ScratchParts.counting();
    Memory.of(parts, shape, tokens, threads);
    return parts.bytes();
  }

  /**
   * Memory of one thread.
   *
   * @param keys and values as columns, {@code [panel][headDim][COLUMNS]}
   * @param keyRows keys as rows, {@code [block][panel of headDim][key][COLUMNS]}
   * @param dk and dv {@code [panel of keys][headDim][COLUMNS]}
   * @param q and dout {@code [row tile][headDim][ROWS]}; transposed {@code [tile of headDim][row][ROWS]}
   * @param dq {@code [row tile][panel of headDim][ROWS][COLUMNS]}
   * @param p of a panel of keys, {@code [row][COLUMNS]}; ds likewise
   * @param dsTransposed {@code [row tile][key][ROWS]}
   * @param met whether a panel of keys has met any rows; until then its dk and dv are undefined
   */
  private record Memory(MemorySegment keys, MemorySegment values, MemorySegment keyRows, MemorySegment dk,
      MemorySegment dv, MemorySegment q, MemorySegment qTransposed, MemorySegment dout, MemorySegment doutTransposed,
      MemorySegment dq, MemorySegment packing, MemorySegment p, MemorySegment ds, MemorySegment dsTransposed,
      MemorySegment tile, PanelRows panelRows, float[] logSumExp, float[] delta, int[] first, int[] last, boolean[] met,
      int[] read) {
    static Memory of(ScratchParts parts, AttentionShape shape, int tokens) {
      int padded = padded(shape.headDim());
      int panels = panels(shape.headDim()) * GemmTile.COLUMNS;
      long keys = (long) Math.ceilDiv(tokens, KEYS) * KEYS;
      long rows = (long) ROWS * padded;
      return new Memory(parts.floats(keys * padded), parts.floats(keys * padded), parts.floats(keys * panels),
          parts.floats(keys * padded), parts.floats(keys * padded), parts.floats(rows), parts.floats(rows),
          parts.floats(rows), parts.floats(rows), parts.floats((long) ROWS * panels),
          parts.floats(Panels.scratch(Math.max(panels, KEYS), Math.max(padded, ROWS))),
          parts.floats(GemmTile.COLUMNS * ROWS), parts.floats(GemmTile.COLUMNS * ROWS), parts.floats(KEYS * ROWS),
          parts.floats(GemmTile.SIZE), PanelRows.of(parts, shape.headDim()), new float[ROWS], new float[ROWS],
          new int[ROWS], new int[ROWS], new boolean[Math.ceilDiv(tokens, GemmTile.COLUMNS)], new int[1]);
    }

    static List<Memory> of(ScratchParts parts, AttentionShape shape, int tokens, int threads) {
      return Stream.generate(() -> of(parts, shape, tokens)).limit(threads).toList();
    }
  }

  private static int padded(int extent) {
    return Math.ceilDiv(extent, GemmTile.ROWS) * GemmTile.ROWS;
  }

  /** Panels that the columns of a head fill. */
  private static int panels(int headDim) {
    return Math.ceilDiv(headDim, GemmTile.COLUMNS);
  }

  /** All of one key-value head. */
  private static final class Head {
    private final AttentionShape shape;
    private final Tensors tensors;
    private final int tokens;
    private final AttentionShape.Visible visible;
    private final int kvHead;
    private final Memory memory;
    private final int headDim;
    private final int padded;

    Head(AttentionShape shape, Tensors tensors, int tokens, AttentionShape.Visible visible, int kvHead,
        Memory memory) {
      this.shape = shape;
      this.tensors = tensors;
      this.tokens = tokens;
      this.visible = visible;
      this.kvHead = kvHead;
      this.memory = memory;
      this.headDim = shape.headDim();
      this.padded = padded(headDim);
    }

    void run() {
      MatrixSource keys = shape.keys(tensors.k, tokens, kvHead);
      MatrixSource values = shape.keys(tensors.v, tokens, kvHead);
      columns(keys, memory.keys);
      columns(values, memory.values);
      for (int key = 0; key < tokens; key += KEYS) {
        Panels.pack(keys, false, 0, headDim, key, Math.min(KEYS, tokens - key), GemmTile.COLUMNS, memory.keyRows,
            keyRows(key), memory.packing);
      }
      Arrays.fill(memory.met, false);
      int rows = tokens * shape.group();
      for (int row = 0; row < rows; row += ROWS) {
        rows(row, Math.min(ROWS, rows - row));
      }
      write(memory.dk, shape.keys(tensors.dk, tokens, kvHead));
      write(memory.dv, shape.keys(tensors.dv, tokens, kvHead));
    }

    private void columns(MatrixSource source, MemorySegment panels) {
      Panels.pack(source, true, 0, tokens, 0, headDim, GemmTile.COLUMNS, panels, 0, memory.packing);
    }

    /** Where a block of keys begins among their rows. */
    private long keyRows(int key) {
      return (long) key * panels(headDim) * GemmTile.COLUMNS;
    }

    private void write(MemorySegment panels, MatrixSource.Heads target) {
      for (int key = 0; key < tokens; key += GemmTile.COLUMNS) {
        if (!memory.met[key / GemmTile.COLUMNS]) {
          FloatMemory.fill(panels, (long) key * padded, (long) GemmTile.COLUMNS * padded, 0f);
        }
        memory.panelRows.write(panels, (long) key * padded, Math.min(GemmTile.COLUMNS, tokens - key), target, key);
      }
    }

    /** One block of rows meets all keys that it sees. */
    private void rows(int firstRow, int rows) {
      MatrixSource.Heads q = shape.queries(tensors.q, tokens, kvHead);
      MatrixSource.Heads dout = shape.queries(tensors.dout, tokens, kvHead);
      Panels.pack(q, true, firstRow, rows, 0, headDim, GemmTile.ROWS, memory.q, 0, memory.packing);
      Panels.pack(dout, true, firstRow, rows, 0, headDim, GemmTile.ROWS, memory.dout, 0, memory.packing);
      Panels.pack(q, false, 0, headDim, firstRow, rows, GemmTile.ROWS, memory.qTransposed, 0, memory.packing);
      Panels.pack(dout, false, 0, headDim, firstRow, rows, GemmTile.ROWS, memory.doutTransposed, 0, memory.packing);
      FloatMemory.fill(memory.dq, 0, (long) ROWS * panels(headDim) * GemmTile.COLUMNS, 0f);
      int least = Integer.MAX_VALUE;
      int greatest = -1;
      for (int row = 0; row < ROWS; row++) {
        boolean present = row < rows;
        int token = (firstRow + row) / shape.group();
        memory.first[row] = present ? visible.first()[token] : Integer.MAX_VALUE;
        memory.last[row] = present ? visible.last()[token] : -1;
        if (present) {
          least = Math.min(least, memory.first[row]);
          greatest = Math.max(greatest, memory.last[row]);
          memory.logSumExp[row] = FloatMemory.get(tensors.logSumExp, q.at(firstRow + row) / headDim);
          memory.delta[row] = delta(q.at(firstRow + row));
        }
      }
      for (int key = least / KEYS * KEYS; key <= greatest; key += KEYS) {
        block(key, Math.min(KEYS, tokens - key), greatest, rows);
      }
      MatrixSource.Heads dq = shape.queries(tensors.dq, tokens, kvHead);
      for (int row = 0; row < rows; row++) {
        writeQuery(row, dq.data(), dq.at(firstRow + row));
      }
    }

    /** A row of dq. */
    private void writeQuery(int row, MemorySegment target, long to) {
      for (int panel = 0; panel < panels(headDim); panel++) {
        int column = panel * GemmTile.COLUMNS;
        FloatMemory.copy(memory.dq, queryTile(row, panel) + (long) row % GemmTile.ROWS * GemmTile.COLUMNS, target,
            to + column, Math.min(GemmTile.COLUMNS, headDim - column));
      }
    }

    /** Where a tile of dq begins. */
    private long queryTile(int row, int panel) {
      return ((long) row / GemmTile.ROWS * panels(headDim) + panel) * GemmTile.SIZE;
    }

    /** Σ dout · out of one row. */
    private float delta(long at) {
      FloatVector sum = FloatVector.zero(FLOATS);
      int whole = FLOATS.loopBound(headDim);
      for (int i = 0; i < whole; i += LANES) {
        sum = load(tensors.dout, at + i).fma(load(tensors.out, at + i), sum);
      }
      if (whole < headDim) {
        VectorMask<Float> present = FloatMemory.tail(headDim - whole);
        sum = load(tensors.dout, at + whole, present).fma(load(tensors.out, at + whole, present), sum);
      }
      return LaneSum.of(sum);
    }

    /**
     * A block of rows meets a block of keys. A panel stays in the nearest cache while the tiles of all rows pass by; two would
     * not fit.
     */
    private void block(int firstKey, int keys, int lastKey, int rows) {
      for (int key = firstKey; key < firstKey + keys && key <= lastKey; key += GemmTile.COLUMNS) {
        int firstSeen = scores(firstKey, key, rows);
        int depth = rows - firstSeen;
        if (depth > 0) {
          boolean anew = !memory.met[key / GemmTile.COLUMNS];
          memory.met[key / GemmTile.COLUMNS] = true;
          accumulate(memory.doutTransposed, (long) firstSeen * GemmTile.ROWS, rows, memory.p,
              (long) firstSeen * GemmTile.COLUMNS, depth, memory.dv, (long) key * padded, anew);
          accumulate(memory.qTransposed, (long) firstSeen * GemmTile.ROWS, rows, memory.ds,
              (long) firstSeen * GemmTile.COLUMNS, depth, memory.dk, (long) key * padded, anew);
        }
      }
      for (int panel = 0; panel < panels(headDim); panel++) {
        for (int row = 0; row < rows; row += GemmTile.ROWS) {
          int depth = Math.clamp(lastSeen(row) + 1 - firstKey, 0, keys);
          if (depth > 0) {
            queries(row, panel, firstKey, keys, depth);
          }
        }
      }
    }

    /** The last key that any row of a tile sees, or -1. */
    private int lastSeen(int row) {
      int last = -1;
      for (int r = row; r < row + GemmTile.ROWS; r++) {
        last = Math.max(last, memory.last[r]);
      }
      return last;
    }

    /** Adds to a tile of dq what it has of the first {@code depth} of a block's keys. */
    private void queries(int row, int panel, int firstKey, int keys, int depth) {
      int column = panel * GemmTile.COLUMNS;
      memory.read[0] += GemmTile.multiply(memory.dsTransposed, (long) row * KEYS, memory.keyRows,
          keyRows(firstKey) + (long) column * keys, depth, Math.min(GemmTile.COLUMNS, headDim - column), memory.tile, 0,
          (row + GemmTile.ROWS) % ROWS * (long) KEYS);
      GemmTile.add(memory.tile, 1, false, memory.dq, queryTile(row, panel));
    }

    /** p and ds of all rows and a panel of keys; returns the first row that sees any, or how many rows there are. */
    private int scores(int firstKey, int key, int rows) {
      int firstSeen = rows;
      MatrixSource ds = MatrixSource.of(memory.ds, ROWS, GemmTile.COLUMNS);
      product(memory.q, memory.keys, key, rows, memory.p);
      product(memory.dout, memory.values, key, rows, memory.ds);
      for (int row = padded(rows) - GemmTile.ROWS; row >= 0; row -= GemmTile.ROWS) {
        if (sees(row, key)) {
          firstSeen = row;
          tileOfScores(row, rows, key);
        } else {
          FloatMemory.fill(memory.p, (long) row * GemmTile.COLUMNS, GemmTile.SIZE, 0f);
          FloatMemory.fill(memory.ds, (long) row * GemmTile.COLUMNS, GemmTile.SIZE, 0f);
        }
        Panels.pack(ds, true, row, GemmTile.ROWS, 0, GemmTile.COLUMNS, GemmTile.ROWS, memory.dsTransposed,
            (long) row * KEYS + (long) (key - firstKey) * GemmTile.ROWS, memory.packing);
      }
      return firstSeen;
    }

    /** {@code target = a · b} for the tiles of rows that see any of a panel of keys; b is that panel of keys or of values. */
    private void product(MemorySegment a, MemorySegment b, int key, int rows, MemorySegment target) {
      for (int row = 0; row < rows; row += GemmTile.ROWS) {
        if (sees(row, key)) {
          memory.read[0] += GemmTile.multiply(a, (long) row * headDim, b, (long) key * headDim, headDim,
              GemmTile.COLUMNS, target, (long) row * GemmTile.COLUMNS,
              (row + GemmTile.ROWS) % ROWS * (long) headDim);
        }
      }
    }

    /** Whether any row of a tile sees any key of a panel. */
    private boolean sees(int row, int key) {
      for (int r = row; r < row + GemmTile.ROWS; r++) {
        if (memory.first[r] < key + GemmTile.COLUMNS && memory.last[r] >= key) {
          return true;
        }
      }
      return false;
    }

    /** Makes p and ds of a tile of rows, of {@code rows} in all, and a panel of keys, of the products that lie there. */
    private void tileOfScores(int row, int rows, int key) {
      long tile = (long) row * GemmTile.COLUMNS;
      FloatVector scale = FloatVector.broadcast(FLOATS, shape.scale());
      long pAt = address(memory.p, tile, GemmTile.SIZE);
      long dsAt = address(memory.ds, tile, GemmTile.SIZE);
      int count = Math.min(GemmTile.ROWS, rows - row);
      for (int r = 0; r < count; r++) {
        FloatVector negative = FloatVector.broadcast(FLOATS, -memory.logSumExp[row + r]);
        FloatVector delta = FloatVector.broadcast(FLOATS, memory.delta[row + r]);
        int first = memory.first[row + r] - key;
        int last = memory.last[row + r] - key;
        boolean whole = first <= 0 && last >= GemmTile.COLUMNS - 1;
        for (int vector = 0; vector < GemmTile.COLUMNS / LANES; vector++) {
          long at = r * ROW + vector * VECTOR;
          FloatVector p = VectorExp
              .exp(fromMemorySegment(FLOATS, MEMORY, pAt + at, LITTLE_ENDIAN).fma(scale, negative));
          if (!whole) {
            p = p.blend(0f, hidden(first - vector * LANES, last - vector * LANES));
          }
          p.intoMemorySegment(MEMORY, pAt + at, LITTLE_ENDIAN);
          fromMemorySegment(FLOATS, MEMORY, dsAt + at, LITTLE_ENDIAN).sub(delta).mul(p).mul(scale)
              .intoMemorySegment(MEMORY, dsAt + at, LITTLE_ENDIAN);
        }
      }
    }

    /** Lanes outside first to last. */
    private static VectorMask<Float> hidden(int first, int last) {
      FloatVector index = FloatVector.zero(FLOATS).addIndex(1);
      return index.compare(VectorOperators.LT, (float) first).or(index.compare(VectorOperators.GT, (float) last));
    }

    /**
     * Adds to {@code target[headDim][COLUMNS]} the product of a packed Aᵀ and a panel {@code b[depth][COLUMNS]}.
     *
     * @param packed depth of A, of which {@code depth} is used from aOffset on
     */
    private void accumulate(MemorySegment a, long aOffset, int packed, MemorySegment b, long bOffset, int depth,
        MemorySegment target, long targetOffset, boolean anew) {
      for (int i = 0; i < headDim; i += GemmTile.ROWS) {
        long from = aOffset + (long) i * packed;
        long next = i + GemmTile.ROWS < headDim ? from + (long) GemmTile.ROWS * packed : aOffset;
        memory.read[0] += GemmTile.multiply(a, from, b, bOffset, depth, GemmTile.COLUMNS, memory.tile, 0, next);
        GemmTile.add(memory.tile, 1, anew, target, targetOffset + (long) i * GemmTile.COLUMNS);
      }
    }
  }
}
