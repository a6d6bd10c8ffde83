package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
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
  private final Scratch[] scratch;

  AttentionGradientKernel(Workers workers) {
    this.workers = workers;
    scratch = new Scratch[workers.threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  /** What the gradient is computed from, and the gradients; shapes as in {@link AttentionKernel#forward}. */
  record Tensors(MemorySegment q, MemorySegment k, MemorySegment v, MemorySegment out, MemorySegment logSumExp,
      MemorySegment dout, MemorySegment dq, MemorySegment dk, MemorySegment dv) {}

  /** Gradients by q, k and v of attention within a run of tokens. */
  void backward(AttentionShape shape, Tensors tensors, int tokens, AttentionShape.Visible visible) {
    workers.parallel(shape.kvHeads(), (kvHead, worker) -> {
      scratch[worker].prepare(shape.headDim(), tokens);
      new Head(shape, tensors, tokens, visible, kvHead, scratch[worker]).run();
    });
  }

  /** Memory of one thread, sized for the widest head and longest run met. */
  private static final class Scratch {
    private int headDim;
    private int keyCount;
    /** k and v as columns, [panel][headDim][COLUMNS]. */
    private float[] keys = {};
    private float[] values = {};
    /** kᵀ as rows, [block][row tile][keys][ROWS]. */
    private float[] keysTransposed = {};
    /** [panel][headDim][COLUMNS] */
    private float[] dk = {};
    private float[] dv = {};
    private float[] q = {};
    private float[] qTransposed = {};
    private float[] dout = {};
    private float[] doutTransposed = {};
    private float[] dq = {};
    private float[] packing = {};
    private float[] row = {};
    private float[] otherRow = {};
    private final float[] p = new float[KEYS * ROWS];
    private final float[] ds = new float[KEYS * ROWS];
    private final float[] dsTransposed = new float[KEYS * ROWS];
    private final float[] tile = new float[GemmTile.ROWS * GemmTile.COLUMNS];
    private final float[] otherTile = new float[GemmTile.ROWS * GemmTile.COLUMNS];
    private final float[] logSumExp = new float[ROWS];
    private final float[] delta = new float[ROWS];
    private final int[] first = new int[ROWS];
    private final int[] last = new int[ROWS];

    void prepare(int wantedHeadDim, int tokens) {
      int wantedKeys = Math.ceilDiv(tokens, KEYS) * KEYS;
      if (headDim >= wantedHeadDim && keyCount >= wantedKeys) {
        return;
      }
      headDim = Math.max(headDim, wantedHeadDim);
      keyCount = Math.max(keyCount, wantedKeys);
      int padded = padded(headDim);
      keys = new float[keyCount * padded];
      values = new float[keyCount * padded];
      keysTransposed = new float[keyCount * padded];
      dk = new float[keyCount * padded];
      dv = new float[keyCount * padded];
      q = new float[ROWS * padded];
      qTransposed = new float[ROWS * padded];
      dout = new float[ROWS * padded];
      doutTransposed = new float[ROWS * padded];
      dq = new float[ROWS * padded];
      packing = new float[Panels.scratch(Math.max(padded, KEYS), Math.max(padded, ROWS))];
      row = new float[padded];
      otherRow = new float[padded];
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
    private final Scratch memory;
    private final int headDim;
    private final int padded;

    Head(AttentionShape shape, Tensors tensors, int tokens, AttentionShape.Visible visible, int kvHead,
        Scratch memory) {
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
      Panels.pack(keys, true, 0, tokens, 0, headDim, GemmTile.COLUMNS, memory.keys, 0, memory.packing);
      Panels.pack(values, true, 0, tokens, 0, headDim, GemmTile.COLUMNS, memory.values, 0, memory.packing);
      for (int key = 0; key < tokens; key += KEYS) {
        Panels.pack(keys, false, 0, headDim, key, Math.min(KEYS, tokens - key), GemmTile.ROWS, memory.keysTransposed,
            key * padded, memory.packing);
      }
      int keyCount = Math.ceilDiv(tokens, GemmTile.COLUMNS) * GemmTile.COLUMNS;
      Arrays.fill(memory.dk, 0, keyCount * padded, 0f);
      Arrays.fill(memory.dv, 0, keyCount * padded, 0f);
      int rows = tokens * shape.group();
      for (int row = 0; row < rows; row += ROWS) {
        rows(row, Math.min(ROWS, rows - row));
      }
      for (int key = 0; key < tokens; key++) {
        write(memory.dk, key, shape.keys(tensors.dk, tokens, kvHead), key);
        write(memory.dv, key, shape.keys(tensors.dv, tokens, kvHead), key);
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
      Arrays.fill(memory.dq, 0f);
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
      FloatMemory.read(tensors.dout, at, memory.row, 0, headDim);
      FloatMemory.read(tensors.out, at, memory.otherRow, 0, headDim);
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int i = 0; i < headDim; i += LANES) {
        VectorMask<Float> present = FloatMemory.tail(headDim - i);
        sum = FloatVector.fromArray(FLOATS, memory.row, i, present)
            .fma(FloatVector.fromArray(FLOATS, memory.otherRow, i, present), sum);
      }
      return LaneSum.of(sum);
    }

    private void block(int firstKey, int keys, int rows) {
      int paddedRows = padded(rows);
      for (int panel = 0; panel * GemmTile.COLUMNS < keys; panel++) {
        int key = firstKey + panel * GemmTile.COLUMNS;
        int offset = panel * GemmTile.COLUMNS * rows;
        int firstSeen = paddedRows;
        for (int row = paddedRows - GemmTile.ROWS; row >= 0; row -= GemmTile.ROWS) {
          if (sees(row, key)) {
            firstSeen = row;
            scores(row, Math.min(GemmTile.ROWS, rows - row), key, offset + row * GemmTile.COLUMNS);
          } else {
            int end = Math.min(row + GemmTile.ROWS, rows);
            Arrays.fill(memory.p, offset + row * GemmTile.COLUMNS, offset + end * GemmTile.COLUMNS, 0f);
            Arrays.fill(memory.ds, offset + row * GemmTile.COLUMNS, offset + end * GemmTile.COLUMNS, 0f);
          }
        }
        int depth = rows - firstSeen;
        if (depth > 0) {
          int at = offset + firstSeen * GemmTile.COLUMNS;
          accumulate(memory.doutTransposed, firstSeen * GemmTile.ROWS, rows, memory.p, at, depth, memory.dv,
              key * padded);
          accumulate(memory.qTransposed, firstSeen * GemmTile.ROWS, rows, memory.ds, at, depth, memory.dk,
              key * padded);
        }
        transpose(offset, rows, panel * GemmTile.COLUMNS, Math.min(GemmTile.COLUMNS, keys - panel * GemmTile.COLUMNS),
            keys);
      }
      for (int row = 0; row < rows; row += GemmTile.COLUMNS) {
        accumulate(memory.keysTransposed, firstKey * padded, keys, memory.dsTransposed, row * keys, keys, memory.dq,
            row * padded);
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

    /** p and ds of a tile of rows and a panel of keys. */
    private void scores(int row, int rows, int key, int target) {
      GemmTile.multiply(memory.q, row * headDim, memory.keys, key * headDim, headDim, GemmTile.COLUMNS, memory.tile, 0);
      GemmTile.multiply(memory.dout, row * headDim, memory.values, key * headDim, headDim, GemmTile.COLUMNS,
          memory.otherTile, 0);
      FloatVector scale = FloatVector.broadcast(FLOATS, shape.scale());
      for (int r = 0; r < rows; r++) {
        FloatVector negative = FloatVector.broadcast(FLOATS, -memory.logSumExp[row + r]);
        boolean whole = memory.first[row + r] <= key && memory.last[row + r] >= key + GemmTile.COLUMNS - 1;
        for (int lane = 0; lane < GemmTile.COLUMNS; lane += LANES) {
          int at = r * GemmTile.COLUMNS + lane;
          FloatVector p = VectorExp.exp(FloatVector.fromArray(FLOATS, memory.tile, at).fma(scale, negative));
          if (!whole) {
            p = p.blend(0f, hidden(memory.first[row + r] - key - lane, memory.last[row + r] - key - lane));
          }
          FloatVector dp = FloatVector.fromArray(FLOATS, memory.otherTile, at);
          p.intoArray(memory.p, target + at);
          p.mul(dp.sub(memory.delta[row + r])).mul(scale).intoArray(memory.ds, target + at);
        }
      }
    }

    /** Lanes outside first to last. */
    private static VectorMask<Float> hidden(int first, int last) {
      FloatVector index = FloatVector.zero(FLOATS).addIndex(1);
      return index.compare(VectorOperators.LT, (float) first).or(index.compare(VectorOperators.GT, (float) last));
    }

    /**
     * Adds to {@code target[headDim][COLUMNS]} the product of a packed Aᵀ and the panel {@code b[depth][COLUMNS]}.
     *
     * @param aStride depth that A was packed with, of which {@code depth} is used from aOffset on
     */
    private void accumulate(float[] a, int aOffset, int aStride, float[] b, int bOffset, int depth, float[] target,
        int targetOffset) {
      for (int i = 0; i < headDim; i += GemmTile.ROWS) {
        GemmTile.multiply(a, aOffset + i * aStride, b, bOffset, depth, GemmTile.COLUMNS, memory.tile, 0);
        int to = targetOffset + i * GemmTile.COLUMNS;
        for (int at = 0; at < GemmTile.ROWS * GemmTile.COLUMNS; at += LANES) {
          FloatVector.fromArray(FLOATS, target, to + at).add(FloatVector.fromArray(FLOATS, memory.tile, at))
              .intoArray(target, to + at);
        }
      }
    }

    /** A panel of ds, [rows][COLUMNS] at offset, into [panel of rows][keys][COLUMNS]. */
    private void transpose(int offset, int rows, int firstKey, int count, int keys) {
      for (int panel = 0; panel < rows; panel += GemmTile.COLUMNS) {
        int width = Math.min(GemmTile.COLUMNS, rows - panel);
        for (int key = 0; key < count; key++) {
          int target = panel * keys + (firstKey + key) * GemmTile.COLUMNS;
          for (int r = 0; r < width; r++) {
            memory.dsTransposed[target + r] = memory.ds[offset + (panel + r) * GemmTile.COLUMNS + key];
          }
          Arrays.fill(memory.dsTransposed, target + width, target + GemmTile.COLUMNS, 0f);
        }
      }
    }

    /** Column {@code index} of {@code [panel][headDim][COLUMNS]} becomes a row of a tensor. */
    private void write(float[] panels, int index, MatrixSource.Heads target, int row) {
      int from = index / GemmTile.COLUMNS * GemmTile.COLUMNS * padded + index % GemmTile.COLUMNS;
      for (int i = 0; i < headDim; i++) {
        memory.row[i] = panels[from + i * GemmTile.COLUMNS];
      }
      FloatMemory.write(memory.row, 0, target.data(), target.at(row), headDim);
    }
  }
}
