package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Grouped-query attention without a matrix of scores (Dao et al., FlashAttention-2). Per key-value head and block of
 * queries, keys pass by in blocks; with the running maximum m and denominator l of each query,
 *
 * <pre>
 *   K block ──pack──▶ rows ┐
 *   queries ──pack──▶ columns ├─ tile ─▶ scores [keys][queries] ─ exp(s - m) ─▶ p ┐
 *   V block ──pack──▶ rows of Vᵀ ─────────────────────────────────────────────────┴─ tile ─▶ outᵀ = outᵀ · c + Vᵀ · p
 * </pre>
 *
 * <p>Queries run along the vector lanes. So maxima and sums over keys need no reduction across lanes, and p leaves the
 * exponential in the very layout that the second product reads. The queries of all heads of a group stand side by side
 * as columns and share the packed keys and values; for a single token they fill the lanes that would be idle.
 *
 * <p>Key blocks begin at a sequence's first token, whatever a task's share and whatever stands before it in the run, so a
 * sequence's results depend neither on threads nor on its place in a batch.
 */
final class AttentionKernel {
  /** Keys that are packed at a time: with a head of 128, 64 KiB for keys and as much for values. */
  private static final int KEYS = 128;
  /** Most panels of queries that share packed keys; they and their outputs stay in the second-level cache. */
  private static final int MAX_PANELS = 16;
  private static final int TASKS_PER_THREAD = 4;
  /** Stands for no key yet: finite, so that differences of it are numbers. */
  private static final float NO_MAXIMUM = -1e30f;

  private final Workers workers;
  private final Scratch[] scratch;

  AttentionKernel(Workers workers) {
    this.workers = workers;
    scratch = new Scratch[workers.threads()];
    for (int i = 0; i < scratch.length; i++) {
      scratch[i] = new Scratch();
    }
  }

  /** Memory of one thread, sized for the widest head met. */
  private static final class Scratch {
    private int headDim;
    private float[] queries = {};
    private float[] keys = {};
    private float[] values = {};
    private float[] out = {};
    private float[] packing = {};
    private float[] row = {};
    private final float[] scores = new float[KEYS * GemmTile.COLUMNS];
    private final float[] tile = new float[GemmTile.ROWS * GemmTile.COLUMNS];
    private final float[] maximum = new float[MAX_PANELS * GemmTile.COLUMNS];
    private final float[] denominator = new float[MAX_PANELS * GemmTile.COLUMNS];
    private final float[] correction = new float[GemmTile.COLUMNS];
    private final float[] first = new float[MAX_PANELS * GemmTile.COLUMNS];
    private final float[] last = new float[MAX_PANELS * GemmTile.COLUMNS];

    void prepare(int wanted) {
      if (headDim < wanted) {
        int padded = padded(wanted);
        headDim = wanted;
        queries = new float[MAX_PANELS * GemmTile.COLUMNS * wanted];
        keys = new float[KEYS * wanted];
        values = new float[KEYS * padded];
        out = new float[MAX_PANELS * GemmTile.COLUMNS * padded];
        packing = new float[Panels.scratch(padded, Math.max(wanted, KEYS))];
        row = new float[wanted];
      }
    }
  }

  /**
   * {@code out = softmax(q · kᵀ / √headDim over visible keys) · v}, per head. A query that sees no key gives 0.
   *
   * @param tokens rows of q and out, {@code [tokens, heads, headDim]}
   * @param keys rows of k and v, {@code [keys, kvHeads, headDim]}
   * @param logSumExp {@code [tokens, heads]}, the logarithm of each softmax's denominator
   */
  void forward(AttentionShape shape, MemorySegment q, MemorySegment k, MemorySegment v, int tokens, int keys,
      AttentionShape.Visible visible, MemorySegment out, MemorySegment logSumExp) {
    int columns = tokens * shape.group();
    int panels = Math.ceilDiv(columns, GemmTile.COLUMNS);
    int wanted = Math.ceilDiv(TASKS_PER_THREAD * workers.threads(), shape.kvHeads());
    int panelsPerTask = Math.clamp(panels / wanted, 1, MAX_PANELS);
    int blocks = Math.ceilDiv(panels, panelsPerTask);
    workers.parallel(blocks * shape.kvHeads(), (task, worker) -> {
      // Later queries see more keys: they go first, so that the last tasks are short.
      int firstColumn = (blocks - 1 - task / shape.kvHeads()) * panelsPerTask * GemmTile.COLUMNS;
      int count = Math.min(panelsPerTask * GemmTile.COLUMNS, columns - firstColumn);
      scratch[worker].prepare(shape.headDim());
      new Block(shape, task % shape.kvHeads(), firstColumn, count, scratch[worker]).run(q, k, v, tokens, keys, visible,
          out, logSumExp);
    });
  }

  private static int padded(int extent) {
    return Math.ceilDiv(extent, GemmTile.ROWS) * GemmTile.ROWS;
  }

  /** Some queries, as columns, of the heads that share a key-value head. */
  private static final class Block {
    private final AttentionShape shape;
    private final int kvHead;
    private final int firstColumn;
    private final int columns;
    private final int headDim;
    private final Scratch memory;

    Block(AttentionShape shape, int kvHead, int firstColumn, int columns, Scratch memory) {
      this.shape = shape;
      this.kvHead = kvHead;
      this.firstColumn = firstColumn;
      this.columns = columns;
      this.headDim = shape.headDim();
      this.memory = memory;
    }

    void run(MemorySegment q, MemorySegment k, MemorySegment v, int tokens, int keys, AttentionShape.Visible visible,
        MemorySegment out, MemorySegment logSumExp) {
      Panels.pack(shape.queries(q, tokens, kvHead), true, firstColumn, columns, 0, headDim, GemmTile.COLUMNS,
          memory.queries, 0, memory.packing);
      Arrays.fill(memory.out, 0, Math.ceilDiv(columns, GemmTile.COLUMNS) * GemmTile.COLUMNS * padded(headDim), 0f);
      Arrays.fill(memory.maximum, NO_MAXIMUM);
      Arrays.fill(memory.denominator, 0f);
      for (int begin = 0; begin < columns;) {
        int end = endOfSequence(visible, begin);
        look(visible, begin, end);
        attend(k, v, keys);
        begin = end;
      }
      write(out, logSumExp, tokens);
    }

    /** The first column after {@code begin} whose keys begin elsewhere. */
    private int endOfSequence(AttentionShape.Visible visible, int begin) {
      int end = begin + 1;
      while (end < columns && visible.first()[token(end)] == visible.first()[token(begin)]) {
        end++;
      }
      return end;
    }

    private int token(int column) {
      return (firstColumn + column) / shape.group();
    }

    /** Notes which keys the columns of one sequence see; all others see none. */
    private void look(AttentionShape.Visible visible, int begin, int end) {
      Arrays.fill(memory.first, Float.MAX_VALUE);
      Arrays.fill(memory.last, -1);
      for (int column = begin; column < end; column++) {
        memory.first[column] = visible.first()[token(column)];
        memory.last[column] = visible.last()[token(column)];
      }
      if (end == columns) {
        // Lanes past the last column see what it sees, so that they call for no mask.
        Arrays.fill(memory.first, end, memory.first.length, memory.first[end - 1]);
        Arrays.fill(memory.last, end, memory.last.length, memory.last[end - 1]);
      }
    }

    /** The queries of one sequence meet its keys, block by block. */
    private void attend(MemorySegment k, MemorySegment v, int keys) {
      int firstKey = (int) least(memory.first, 0, columns);
      int endKey = (int) greatest(memory.last, 0, columns) + 1;
      for (int key = firstKey; key < endKey; key += KEYS) {
        int count = Math.min(KEYS, endKey - key);
        Panels.pack(shape.keys(k, keys, kvHead), true, key, count, 0, headDim, GemmTile.ROWS, memory.keys, 0,
            memory.packing);
        Panels.pack(shape.keys(v, keys, kvHead), false, 0, headDim, key, count, GemmTile.ROWS, memory.values, 0,
            memory.packing);
        for (int column = 0; column < columns; column += GemmTile.COLUMNS) {
          int width = Math.min(GemmTile.COLUMNS, columns - column);
          int seen = Math.min(count, padded((int) greatest(memory.last, column, width) + 1 - key));
          if (seen > 0 && least(memory.first, column, width) < key + seen) {
            attend(column, width, key, seen, count);
          }
        }
      }
    }

    /** One panel of queries meets the keys that any of it sees of the {@code packed} ones. */
    private void attend(int column, int width, int firstKey, int keys, int packed) {
      for (int key = 0; key < keys; key += GemmTile.ROWS) {
        GemmTile.multiply(memory.keys, key * headDim, memory.queries, column * headDim, headDim, width, memory.scores,
            key * GemmTile.COLUMNS);
      }
      for (int lane = 0; lane < width; lane += LANES) {
        if (least(memory.last, column + lane, LANES) < firstKey + keys - 1
            || greatest(memory.first, column + lane, LANES) > firstKey) {
          mask(column, lane, firstKey, keys);
        }
        softmax(column, lane, keys);
      }
      int out = column * padded(headDim);
      for (int i = 0; i < headDim; i += GemmTile.ROWS) {
        GemmTile.multiply(memory.values, i * packed, memory.scores, 0, keys, width, memory.tile, 0);
        accumulate(out + i * GemmTile.COLUMNS, width);
      }
    }

    private void mask(int column, int lane, int firstKey, int keys) {
      FloatVector first = FloatVector.fromArray(FLOATS, memory.first, column + lane);
      FloatVector last = FloatVector.fromArray(FLOATS, memory.last, column + lane);
      for (int key = 0; key < keys; key++) {
        FloatVector index = FloatVector.broadcast(FLOATS, firstKey + key);
        int at = key * GemmTile.COLUMNS + lane;
        FloatVector.fromArray(FLOATS, memory.scores, at)
            .blend(Float.NEGATIVE_INFINITY,
                index.compare(VectorOperators.LT, first).or(index.compare(VectorOperators.GT, last)))
            .intoArray(memory.scores, at);
      }
    }

    /** Scores become exponentials; the maximum, denominator and correction of LANES queries are brought up to date. */
    private void softmax(int column, int lane, int keys) {
      float scale = shape.scale();
      FloatVector greatest = FloatVector.fromArray(FLOATS, memory.scores, lane);
      for (int key = 1; key < keys; key++) {
        greatest = greatest.max(FloatVector.fromArray(FLOATS, memory.scores, key * GemmTile.COLUMNS + lane));
      }
      FloatVector before = FloatVector.fromArray(FLOATS, memory.maximum, column + lane);
      FloatVector maximum = before.max(greatest.mul(scale));
      FloatVector sum = FloatVector.zero(FLOATS);
      FloatVector factor = FloatVector.broadcast(FLOATS, scale);
      FloatVector negative = maximum.neg();
      for (int key = 0; key < keys; key++) {
        int at = key * GemmTile.COLUMNS + lane;
        FloatVector p = VectorExp.exp(FloatVector.fromArray(FLOATS, memory.scores, at).fma(factor, negative));
        p.intoArray(memory.scores, at);
        sum = sum.add(p);
      }
      FloatVector correction = VectorExp.exp(before.sub(maximum));
      maximum.intoArray(memory.maximum, column + lane);
      correction.intoArray(memory.correction, lane);
      FloatVector.fromArray(FLOATS, memory.denominator, column + lane).fma(correction, sum)
          .intoArray(memory.denominator, column + lane);
    }

    private void accumulate(int out, int width) {
      for (int lane = 0; lane < width; lane += LANES) {
        FloatVector correction = FloatVector.fromArray(FLOATS, memory.correction, lane);
        for (int row = 0; row < GemmTile.ROWS; row++) {
          int at = row * GemmTile.COLUMNS + lane;
          FloatVector.fromArray(FLOATS, memory.out, out + at)
              .fma(correction, FloatVector.fromArray(FLOATS, memory.tile, at)).intoArray(memory.out, out + at);
        }
      }
    }

    private void write(MemorySegment out, MemorySegment logSumExp, int tokens) {
      MatrixSource.Heads target = shape.queries(out, tokens, kvHead);
      for (int column = 0; column < columns; column++) {
        int from = column / GemmTile.COLUMNS * GemmTile.COLUMNS * padded(headDim) + column % GemmTile.COLUMNS;
        float sum = memory.denominator[column];
        float inverse = sum > 0 ? 1 / sum : 0;
        for (int i = 0; i < headDim; i++) {
          memory.row[i] = memory.out[from + i * GemmTile.COLUMNS] * inverse;
        }
        long at = target.at(firstColumn + column);
        FloatMemory.write(memory.row, 0, out, at, headDim);
        FloatMemory.set(logSumExp, at / headDim, (float) (memory.maximum[column] + Math.log(sum)));
      }
    }

    private static float least(float[] values, int offset, int count) {
      float least = Float.MAX_VALUE;
      for (int i = 0; i < count; i++) {
        least = Math.min(least, values[offset + i]);
      }
      return least;
    }

    private static float greatest(float[] values, int offset, int count) {
      float greatest = -1;
      for (int i = 0; i < count; i++) {
        greatest = Math.max(greatest, values[offset + i]);
      }
      return greatest;
    }
  }
}
