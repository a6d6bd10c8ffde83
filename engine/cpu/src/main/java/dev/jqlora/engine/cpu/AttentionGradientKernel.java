package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.get;
import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.set;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
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
 *   dvᵀ += doutᵀ · p    dkᵀ += qᵀ · ds    dqᵀ += kᵀ · dsᵀ
 * </pre>
 *
 * <p>p and ds come out of the first two products with keys along the lanes, as dv and dk read them; only for dq is ds
 * transposed. One task takes one key-value head and goes through its blocks in order, so dk and dv are summed over rows
 * and dq over keys in one fixed order.
 */
final class AttentionGradientKernel {
  private static final int ROW_PANELS = 4;
  private static final int KEY_PANELS = 2;
  /** Rows of a block; with {@link #KEYS}, p, ds and its transpose stay in the second-level cache. */
  private static final int ROWS = ROW_PANELS * GemmTile.COLUMNS;
  private static final int KEYS = KEY_PANELS * GemmTile.COLUMNS;

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
   * @param keys and values as columns, {@code [panel][vector][headDim][LANES]}
   * @param keysTransposed as rows, {@code [block][row tile][keys][ROWS]}
   * @param dk and dv {@code [panel][headDim][COLUMNS]}
   */
  private record Memory(MemorySegment keys, MemorySegment values, MemorySegment keysTransposed, MemorySegment dk,
      MemorySegment dv, MemorySegment q, MemorySegment qTransposed, MemorySegment dout, MemorySegment doutTransposed,
      MemorySegment dq, MemorySegment packing, MemorySegment p, MemorySegment ds, MemorySegment dsTransposed,
      float[] tile, float[] otherTile, float[] logSumExp, float[] delta, int[] first, int[] last) {
    static Memory of(ScratchParts parts, AttentionShape shape, int tokens) {
      int padded = padded(shape.headDim());
      long keys = (long) Math.ceilDiv(tokens, KEYS) * KEYS * padded;
      long rows = (long) ROWS * padded;
      return new Memory(parts.floats(keys), parts.floats(keys), parts.floats(keys), parts.floats(keys),
          parts.floats(keys), parts.floats(rows), parts.floats(rows), parts.floats(rows), parts.floats(rows),
          parts.floats(rows), parts.floats(Panels.scratch(Math.max(padded, KEYS), Math.max(padded, ROWS))),
          parts.floats(KEYS * ROWS), parts.floats(KEYS * ROWS), parts.floats(KEYS * ROWS),
          new float[GemmTile.SIZE], new float[GemmTile.SIZE],
          new float[ROWS], new float[ROWS], new int[ROWS], new int[ROWS]);
    }

    static List<Memory> of(ScratchParts parts, AttentionShape shape, int tokens, int threads) {
      return Stream.generate(() -> of(parts, shape, tokens)).limit(threads).toList();
    }
  }

  private static int padded(int extent) {
    return Math.ceilDiv(extent, GemmTile.ROWS) * GemmTile.ROWS;
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
        Panels.pack(keys, false, 0, headDim, key, Math.min(KEYS, tokens - key), GemmTile.ROWS, memory.keysTransposed,
            (long) key * padded, memory.packing);
      }
      int keyCount = Math.ceilDiv(tokens, GemmTile.COLUMNS) * GemmTile.COLUMNS;
      FloatMemory.fill(memory.dk, 0, (long) keyCount * padded, 0f);
      FloatMemory.fill(memory.dv, 0, (long) keyCount * padded, 0f);
      int rows = tokens * shape.group();
      for (int row = 0; row < rows; row += ROWS) {
        rows(row, Math.min(ROWS, rows - row));
      }
      for (int key = 0; key < tokens; key++) {
        write(memory.dk, key, shape.keys(tensors.dk, tokens, kvHead), key);
        write(memory.dv, key, shape.keys(tensors.dv, tokens, kvHead), key);
      }
    }

    /** Packs rows as the columns of whole panels, with zeros behind the last. */
    private void columns(MatrixSource source, MemorySegment panels) {
      Panels.pack(source, true, 0, tokens, 0, headDim, LANES, panels, 0, memory.packing);
      long packed = (long) Math.ceilDiv(tokens, LANES) * LANES * headDim;
      long whole = (long) Math.ceilDiv(tokens, GemmTile.COLUMNS) * GemmTile.COLUMNS * headDim;
      FloatMemory.fill(panels, packed, whole - packed, 0f);
    }

    /** One block of rows meets all keys that it sees. */
    private void rows(int firstRow, int rows) {
      MatrixSource.Heads q = shape.queries(tensors.q, tokens, kvHead);
      MatrixSource.Heads dout = shape.queries(tensors.dout, tokens, kvHead);
      Panels.pack(q, true, firstRow, rows, 0, headDim, GemmTile.ROWS, memory.q, 0, memory.packing);
      Panels.pack(dout, true, firstRow, rows, 0, headDim, GemmTile.ROWS, memory.dout, 0, memory.packing);
      Panels.pack(q, false, 0, headDim, firstRow, rows, GemmTile.ROWS, memory.qTransposed, 0, memory.packing);
      Panels.pack(dout, false, 0, headDim, firstRow, rows, GemmTile.ROWS, memory.doutTransposed, 0, memory.packing);
      FloatMemory.fill(memory.dq, 0, (long) ROWS * padded, 0f);
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
        block(key, Math.min(KEYS, tokens - key), rows);
      }
      MatrixSource.Heads dq = shape.queries(tensors.dq, tokens, kvHead);
      for (int row = 0; row < rows; row++) {
        write(memory.dq, row, dq, firstRow + row);
      }
    }

    /** Σ dout · out of one row. */
    private float delta(long at) {
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int i = 0; i < headDim; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(headDim - i);
        sum = load(tensors.dout, at + i, present).fma(load(tensors.out, at + i, present), sum);
      }
      return LaneSum.of(sum);
    }

    private void block(int firstKey, int keys, int rows) {
      int paddedRows = padded(rows);
      for (int panel = 0; panel * GemmTile.COLUMNS < keys; panel++) {
        int key = firstKey + panel * GemmTile.COLUMNS;
        long offset = (long) panel * GemmTile.COLUMNS * rows;
        int firstSeen = paddedRows;
        for (int row = paddedRows - GemmTile.ROWS; row >= 0; row -= GemmTile.ROWS) {
          if (sees(row, key)) {
            firstSeen = row;
            scores(row, rows, key, offset);
          } else {
            int count = Math.min(GemmTile.ROWS, rows - row);
            for (int lane = 0; lane < GemmTile.COLUMNS; lane += LANES) {
              FloatMemory.fill(memory.p, place(offset, lane, rows, row), (long) count * LANES, 0f);
              FloatMemory.fill(memory.ds, place(offset, lane, rows, row), (long) count * LANES, 0f);
            }
          }
        }
        int depth = rows - firstSeen;
        if (depth > 0) {
          long at = place(offset, 0, rows, firstSeen);
          accumulate(memory.doutTransposed, (long) firstSeen * GemmTile.ROWS, rows, memory.p, at, depth, memory.dv,
              (long) key * padded);
          accumulate(memory.qTransposed, (long) firstSeen * GemmTile.ROWS, rows, memory.ds, at, depth, memory.dk,
              (long) key * padded);
        }
        transpose(offset, rows, panel * GemmTile.COLUMNS, Math.min(GemmTile.COLUMNS, keys - panel * GemmTile.COLUMNS),
            keys);
      }
      for (int row = 0; row < rows; row += GemmTile.COLUMNS) {
        accumulate(memory.keysTransposed, (long) firstKey * padded, keys, memory.dsTransposed, (long) row * keys, keys,
            memory.dq,
            (long) row * padded);
      }
    }

    /** Where a row of LANES numbers is in a panel {@code [COLUMNS / LANES][rows][LANES]} that begins at {@code panel}. */
    private static long place(long panel, int lane, int rows, int row) {
      return panel + (long) lane * rows + (long) row * LANES;
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

    /** p and ds of a tile of rows, of {@code rows} in all, and the panel of keys that begins at {@code panel}. */
    private void scores(int row, int rows, int key, long panel) {
      GemmTile.multiply(memory.q, (long) row * headDim, memory.keys, (long) key * headDim, (long) headDim * LANES,
          headDim, GemmTile.COLUMNS, memory.tile, 0);
      GemmTile.multiply(memory.dout, (long) row * headDim, memory.values, (long) key * headDim, (long) headDim * LANES,
          headDim, GemmTile.COLUMNS, memory.otherTile, 0);
      FloatVector scale = FloatVector.broadcast(FLOATS, shape.scale());
      int count = Math.min(GemmTile.ROWS, rows - row);
      for (int r = 0; r < count; r++) {
        FloatVector negative = FloatVector.broadcast(FLOATS, -memory.logSumExp[row + r]);
        boolean whole = memory.first[row + r] <= key && memory.last[row + r] >= key + GemmTile.COLUMNS - 1;
        for (int lane = 0; lane < GemmTile.COLUMNS; lane += LANES) {
          int at = r * GemmTile.COLUMNS + lane;
          FloatVector p = VectorExp.exp(FloatVector.fromArray(FLOATS, memory.tile, at).fma(scale, negative));
          if (!whole) {
            p = p.blend(0f, hidden(memory.first[row + r] - key - lane, memory.last[row + r] - key - lane));
          }
          FloatVector dp = FloatVector.fromArray(FLOATS, memory.otherTile, at);
          long place = place(panel, lane, rows, row + r);
          store(p, memory.p, place);
          store(p.mul(dp.sub(memory.delta[row + r])).mul(scale), memory.ds, place);
        }
      }
    }

    /** Lanes outside first to last. */
    private static VectorMask<Float> hidden(int first, int last) {
      FloatVector index = FloatVector.zero(FLOATS).addIndex(1);
      return index.compare(VectorOperators.LT, (float) first).or(index.compare(VectorOperators.GT, (float) last));
    }

    /**
     * Adds to {@code target[headDim][COLUMNS]} the product of a packed Aᵀ and a panel {@code b[COLUMNS / LANES][packed][LANES]}.
     *
     * @param packed depth of A and b, of which {@code depth} is used from aOffset and bOffset on
     */
    private void accumulate(MemorySegment a, long aOffset, int packed, MemorySegment b, long bOffset, int depth,
        MemorySegment target, long targetOffset) {
      for (int i = 0; i < headDim; i += GemmTile.ROWS) {
        GemmTile.multiply(a, aOffset + (long) i * packed, b, bOffset, (long) packed * LANES, depth, GemmTile.COLUMNS,
            memory.tile, 0);
        long to = targetOffset + (long) i * GemmTile.COLUMNS;
        for (int at = 0; at < GemmTile.SIZE; at += LANES) {
          store(load(target, to + at).add(FloatVector.fromArray(FLOATS, memory.tile, at)), target, to + at);
        }
      }
    }

    /** A panel of ds, its rows being keys' columns, becomes rows of panels whose columns are ds's rows. */
    private void transpose(long offset, int rows, int firstKey, int count, int keys) {
      for (int row = 0; row < Math.ceilDiv(rows, GemmTile.COLUMNS) * GemmTile.COLUMNS; row += LANES) {
        int width = Math.clamp(rows - row, 0, LANES);
        for (int key = 0; key < count; key++) {
          long from = place(offset, key / LANES * LANES, rows, row) + key % LANES;
          long to = (long) row * keys + (long) (firstKey + key) * LANES;
          for (int r = 0; r < width; r++) {
            set(memory.dsTransposed, to + r, get(memory.ds, from + (long) r * LANES));
          }
          FloatMemory.fill(memory.dsTransposed, to + width, LANES - width, 0f);
        }
      }
    }

    /** Column {@code index} of {@code [panel][headDim][COLUMNS]} becomes a row of a tensor. */
    private void write(MemorySegment panels, int index, MatrixSource.Heads target, int row) {
      long from = (long) index / GemmTile.COLUMNS * GemmTile.COLUMNS * padded + index % GemmTile.COLUMNS;
      long to = target.at(row);
      for (int i = 0; i < headDim; i++) {
        set(target.data(), to + i, get(panels, from + (long) i * GemmTile.COLUMNS));
      }
    }
  }
}
