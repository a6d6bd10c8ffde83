package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.get;
import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.set;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
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
 * as columns and share the packed keys and values; for few tokens they fill the lanes that would be idle.
 *
 * <p><b>Speed</b>, 1,024 tokens, 32 and 8 heads of 128, one core of an Intel Xeon (2023): 56 % of the roof while the output
 * was moved number by number, each of which has a cache line of its own, maxima were one chain of comparisons, and each block
 * corrected all outputs; 66 then. The tiles take two thirds of the time, packing a seventh, exponentials and maxima a tenth.
 * Giving the first queries, which see few keys, the panel that is not full, and leaving outputs undefined until there are
 * any, gained another 2 to 3 %.
 *
 * <p>Key blocks begin at a sequence's first token, whatever a task's share and whatever stands before it in the run, so a
 * sequence's results depend neither on threads nor on its place in a batch.
 */
final class AttentionKernel {
  /** Keys that are packed at a time: with a head of 128, 64 KiB for keys and as much for values. */
  private static final int KEYS = 128;
  /** Most panels of queries that share packed keys; they and their outputs stay in the second-level cache. */
  private static final int MAX_PANELS = 16;
  private static final int MAX_COLUMNS = MAX_PANELS * GemmTile.COLUMNS;
  private static final int TASKS_PER_THREAD = 4;
  /** Stands for no key yet: finite, so that differences of it are numbers. */
  private static final float NO_MAXIMUM = -1e30f;
  /** Bytes of a row of scores or outputs. */
  private static final long ROW = (long) GemmTile.COLUMNS * Float.BYTES;

  private final Workers workers;

  AttentionKernel(Workers workers) {
    this.workers = workers;
  }

  /**
   * Memory of one thread.
   *
   * @param queries packed as columns, {@code [panel][headDim][COLUMNS]}; out likewise
   * @param keys packed as rows, {@code [tile][headDim][ROWS]}
   * @param values packed as rows of Vᵀ, {@code [tile][key][ROWS]}
   * @param scores of one panel, {@code [key][COLUMNS]}, and then their exponentials
   * @param met whether a panel of queries has met any keys; until then its outputs are undefined
   * @param maximum one number a place; denominator, correction, first and last key likewise
   */
  private record Memory(MemorySegment queries, MemorySegment keys, MemorySegment values, MemorySegment out,
      MemorySegment packing, MemorySegment scores, MemorySegment maximum, MemorySegment denominator,
      MemorySegment correction, MemorySegment first, MemorySegment last, MemorySegment tile, PanelRows rows,
      boolean[] met, int[] read) {
    static Memory of(ScratchParts parts, int headDim) {
      int padded = padded(headDim);
      return new Memory(parts.floats((long) MAX_COLUMNS * headDim), parts.floats((long) KEYS * headDim),
          parts.floats((long) KEYS * padded), parts.floats((long) MAX_COLUMNS * padded),
          parts.floats(Panels.scratch(padded, Math.max(headDim, KEYS))), parts.floats(KEYS * GemmTile.COLUMNS),
          parts.floats(MAX_COLUMNS), parts.floats(MAX_COLUMNS), parts.floats(GemmTile.COLUMNS),
          parts.floats(MAX_COLUMNS), parts.floats(MAX_COLUMNS), parts.floats(GemmTile.SIZE),
          PanelRows.of(parts, headDim), new boolean[MAX_PANELS], new int[1]);
    }

    static List<Memory> of(ScratchParts parts, int headDim, int threads) {
      return Stream.generate(() -> of(parts, headDim)).limit(threads).toList();
    }
  }

  /** Bytes of scratch that {@link #forward} needs. */
  static long scratchBytes(AttentionShape shape, int threads) {
    ScratchParts parts = ScratchParts.counting();
    Memory.of(parts, shape.headDim(), threads);
    return parts.bytes();
  }

  /**
   * {@code out = softmax(q · kᵀ / √headDim over visible keys) · v}, per head. A query that sees no key gives 0.
   *
   * @param tokens rows of q and out, {@code [tokens, heads, headDim]}
   * @param keys rows of k and v, {@code [keys, kvHeads, headDim]}
   * @param logSumExp {@code [tokens, heads]}, the logarithm of each softmax's denominator
   * @param scratch at least {@link #scratchBytes}
   */
  void forward(AttentionShape shape, MemorySegment q, MemorySegment k, MemorySegment v, int tokens, int keys,
      AttentionShape.Visible visible, MemorySegment out, MemorySegment logSumExp, MemorySegment scratch) {
    List<Memory> memory = Memory.of(ScratchParts.of(scratch), shape.headDim(), workers.threads());
    int columns = tokens * shape.group();
    int panels = Math.ceilDiv(columns, GemmTile.COLUMNS);
    int wanted = Math.ceilDiv(TASKS_PER_THREAD * workers.threads(), shape.kvHeads());
    int panelsPerTask = Math.clamp(panels / wanted, 1, MAX_PANELS);
    int blocks = Math.ceilDiv(panels, panelsPerTask);
    workers.parallel(blocks * shape.kvHeads(), (task, worker) -> {
      // Later queries see more keys: they go first, so that the last tasks are short.
      int endColumn = columns - task / shape.kvHeads() * panelsPerTask * GemmTile.COLUMNS;
      int firstColumn = Math.max(0, endColumn - panelsPerTask * GemmTile.COLUMNS);
      new Block(shape, task % shape.kvHeads(), firstColumn, endColumn - firstColumn, memory.get(worker)).run(q, k, v,
          tokens, keys, visible, out, logSumExp);
    });
  }

  private static int padded(int extent) {
    return Math.ceilDiv(extent, GemmTile.ROWS) * GemmTile.ROWS;
  }

  /**
   * Some queries, as columns, of the heads that share a key-value head. Where they are no whole number of panels, the first has
   * fewer: its queries see the fewest keys. Tasks are cut from the end, too, so that which queries share a panel does not
   * depend on them. A place counts columns with those that are missing in the first panel.
   */
  private static final class Block {
    private final AttentionShape shape;
    private final int kvHead;
    private final int firstColumn;
    private final int columns;
    /** Columns of the first panel. */
    private final int firstWidth;
    /** One after the last place. */
    private final int endPlace;
    private final int headDim;
    private final Memory memory;

    Block(AttentionShape shape, int kvHead, int firstColumn, int columns, Memory memory) {
      this.shape = shape;
      this.kvHead = kvHead;
      this.firstColumn = firstColumn;
      this.columns = columns;
      this.firstWidth = (columns - 1) % GemmTile.COLUMNS + 1;
      this.endPlace = Math.ceilDiv(columns, GemmTile.COLUMNS) * GemmTile.COLUMNS;
      this.headDim = shape.headDim();
      this.memory = memory;
    }

    private int place(int column) {
      return column < firstWidth ? column : column - firstWidth + GemmTile.COLUMNS;
    }

    /** Columns of the panel at a place. */
    private int width(int place) {
      return place == 0 ? firstWidth : GemmTile.COLUMNS;
    }

    void run(MemorySegment q, MemorySegment k, MemorySegment v, int tokens, int keys, AttentionShape.Visible visible,
        MemorySegment out, MemorySegment logSumExp) {
      MatrixSource.Heads queries = shape.queries(q, tokens, kvHead);
      Panels.pack(queries, true, firstColumn, firstWidth, 0, headDim, GemmTile.COLUMNS, memory.queries, 0,
          memory.packing);
      if (columns > firstWidth) {
        Panels.pack(queries, true, firstColumn + firstWidth, columns - firstWidth, 0, headDim, GemmTile.COLUMNS,
            memory.queries, (long) GemmTile.COLUMNS * headDim, memory.packing);
      }
      Arrays.fill(memory.met, false);
      FloatMemory.fill(memory.maximum, 0, MAX_COLUMNS, NO_MAXIMUM);
      FloatMemory.fill(memory.denominator, 0, MAX_COLUMNS, 0f);
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
      FloatMemory.fill(memory.first, 0, MAX_COLUMNS, Float.MAX_VALUE);
      FloatMemory.fill(memory.last, 0, MAX_COLUMNS, -1);
      for (int column = begin; column < end; column++) {
        set(memory.first, place(column), visible.first()[token(column)]);
        set(memory.last, place(column), visible.last()[token(column)]);
      }
      if (begin < firstWidth && firstWidth <= end) {
        // Lanes past the first panel's last column see what it sees, so that they call for no mask.
        int missing = GemmTile.COLUMNS - firstWidth;
        FloatMemory.fill(memory.first, firstWidth, missing, get(memory.first, firstWidth - 1));
        FloatMemory.fill(memory.last, firstWidth, missing, get(memory.last, firstWidth - 1));
      }
    }

    /** The queries of one sequence meet its keys, block by block. */
    private void attend(MemorySegment k, MemorySegment v, int keys) {
      int firstKey = (int) least(memory.first, 0, endPlace);
      int endKey = (int) greatest(memory.last, 0, endPlace) + 1;
      for (int key = firstKey; key < endKey; key += KEYS) {
        int count = Math.min(KEYS, endKey - key);
        Panels.pack(shape.keys(k, keys, kvHead), true, key, count, 0, headDim, GemmTile.ROWS, memory.keys, 0,
            memory.packing);
        Panels.pack(shape.keys(v, keys, kvHead), false, 0, headDim, key, count, GemmTile.ROWS, memory.values, 0,
            memory.packing);
        for (int place = 0; place < endPlace; place += GemmTile.COLUMNS) {
          int width = width(place);
          int seen = Math.min(count, padded((int) greatest(memory.last, place, width) + 1 - key));
          if (seen > 0 && least(memory.first, place, width) < key + seen) {
            attend(place, width, key, seen, count);
          }
        }
      }
    }

    /** One panel of queries meets the keys that any of it sees of the {@code packed} ones. */
    private void attend(int place, int width, int firstKey, int keys, int packed) {
      for (int key = 0; key < keys; key += GemmTile.ROWS) {
        long tile = (long) key * headDim;
        long next = key + GemmTile.ROWS < keys ? tile + (long) GemmTile.ROWS * headDim : 0;
        memory.read[0] += GemmTile.multiply(memory.keys, tile, memory.queries, (long) place * headDim, headDim, width,
            memory.scores, (long) key * GemmTile.COLUMNS, next);
      }
      long out = (long) place * padded(headDim);
      boolean anew = !memory.met[place / GemmTile.COLUMNS];
      memory.met[place / GemmTile.COLUMNS] = true;
      for (int lane = 0; lane < width; lane += LANES) {
        if (least(memory.last, place + lane, LANES) < firstKey + keys - 1
            || greatest(memory.first, place + lane, LANES) > firstKey) {
          mask(place, lane, firstKey, keys);
        }
        softmax(place, lane, keys);
        if (!anew) {
          correct(out, lane);
        }
      }
      for (int i = 0; i < headDim; i += GemmTile.ROWS) {
        long tile = (long) i * packed;
        long next = i + GemmTile.ROWS < headDim ? tile + (long) GemmTile.ROWS * packed : 0;
        memory.read[0] += GemmTile.multiply(memory.values, tile, memory.scores, 0, keys, width, memory.tile, 0, next);
        GemmTile.add(memory.tile, 1, anew, memory.out, out + (long) i * GemmTile.COLUMNS);
      }
    }

    private void mask(int place, int lane, int firstKey, int keys) {
      FloatVector first = load(memory.first, place + lane);
      FloatVector last = load(memory.last, place + lane);
      long scores = scores(lane, keys);
      for (int key = 0; key < keys; key++) {
        FloatVector index = FloatVector.broadcast(FLOATS, firstKey + key);
        storeAt(loadAt(scores + key * ROW).blend(Float.NEGATIVE_INFINITY,
            index.compare(VectorOperators.LT, first).or(index.compare(VectorOperators.GT, last))), scores + key * ROW);
      }
    }

    /** The address of the scores of LANES queries. */
    private long scores(int lane, int keys) {
      return address(memory.scores, lane, (long) keys * GemmTile.COLUMNS - lane);
    }

    /** Scores become exponentials; the maximum, denominator and correction of LANES queries are brought up to date. */
    private void softmax(int place, int lane, int keys) {
      long scores = scores(lane, keys);
      FloatVector before = load(memory.maximum, place + lane);
      FloatVector maximum = greater(before, greatest(scores, keys).mul(shape.scale()));
      store(maximum, memory.maximum, place + lane);
      store(VectorExp.exp(before.sub(maximum)), memory.correction, lane);
      exponentials(scores, place, lane, keys);
    }

    /** A method of its own: with another exponential beside it, the compiler would take no more into the loop. */
    private void exponentials(long scores, int place, int lane, int keys) {
      FloatVector factor = FloatVector.broadcast(FLOATS, shape.scale());
      FloatVector negative = load(memory.maximum, place + lane).neg();
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int key = 0; key < keys; key++) {
        long at = scores + key * ROW;
        FloatVector p = VectorExp.exp(fromMemorySegment(FLOATS, MEMORY, at, LITTLE_ENDIAN).fma(factor, negative));
        p.intoMemorySegment(MEMORY, at, LITTLE_ENDIAN);
        sum = sum.add(p);
      }
      store(load(memory.denominator, place + lane).fma(load(memory.correction, lane), sum), memory.denominator,
          place + lane);
    }

    /** The greatest scores of LANES queries, in four chains: one comparison waits for the one before in its chain. */
    private static FloatVector greatest(long scores, int keys) {
      FloatVector greatest0 = loadAt(scores);
      FloatVector greatest1 = greatest0;
      FloatVector greatest2 = greatest0;
      FloatVector greatest3 = greatest0;
      int key = 1;
      for (; key < keys - 3; key += 4) {
        greatest0 = greater(greatest0, loadAt(scores + key * ROW));
        greatest1 = greater(greatest1, loadAt(scores + key * ROW + ROW));
        greatest2 = greater(greatest2, loadAt(scores + key * ROW + 2 * ROW));
        greatest3 = greater(greatest3, loadAt(scores + key * ROW + 3 * ROW));
      }
      for (; key < keys; key++) {
        greatest0 = greater(greatest0, loadAt(scores + key * ROW));
      }
      return greater(greater(greatest0, greatest1), greater(greatest2, greatest3));
    }

    /** A comparison and a blend; {@link FloatVector#max} is more, for NaN and zeros. A score that is NaN makes its exponential NaN. */
    private static FloatVector greater(FloatVector a, FloatVector b) {
      return a.blend(b, b.compare(VectorOperators.GT, a));
    }

    /** Multiplies what LANES queries have of their output by their correction, where that is not 1. */
    private void correct(long out, int lane) {
      FloatVector correction = load(memory.correction, lane);
      if (!correction.compare(VectorOperators.EQ, 1f).allTrue()) {
        scale(out, lane, correction);
      }
    }

    private void scale(long out, int lane, FloatVector factor) {
      long at = address(memory.out, out + lane, (long) headDim * GemmTile.COLUMNS - lane);
      for (int i = 0; i < headDim; i++) {
        storeAt(loadAt(at + i * ROW).mul(factor), at + i * ROW);
      }
    }

    private void write(MemorySegment out, MemorySegment logSumExp, int tokens) {
      MatrixSource.Heads target = shape.queries(out, tokens, kvHead);
      for (int column = 0; column < columns; column++) {
        set(logSumExp, target.at(firstColumn + column) / headDim,
            (float) (get(memory.maximum, place(column)) + Math.log(get(memory.denominator, place(column)))));
      }
      int column = firstColumn;
      for (int place = 0; place < endPlace; place += GemmTile.COLUMNS) {
        long panel = (long) place * padded(headDim);
        if (!memory.met[place / GemmTile.COLUMNS]) {
          FloatMemory.fill(memory.out, panel, (long) GemmTile.COLUMNS * headDim, 0f);
        }
        int width = width(place);
        for (int lane = 0; lane < width; lane += LANES) {
          FloatVector sum = load(memory.denominator, place + lane);
          FloatVector inverse = FloatVector.broadcast(FLOATS, 1f).div(sum);
          scale(panel, lane, FloatVector.zero(FLOATS).blend(inverse, sum.compare(VectorOperators.GT, 0f)));
        }
        memory.rows.write(memory.out, panel, width, target, column);
        column += width;
      }
    }

    private static float least(MemorySegment values, long offset, int count) {
      float least = Float.MAX_VALUE;
      for (int i = 0; i < count; i++) {
        least = Math.min(least, get(values, offset + i));
      }
      return least;
    }

    private static float greatest(MemorySegment values, long offset, int count) {
      float greatest = -1;
      for (int i = 0; i < count; i++) {
        greatest = Math.max(greatest, get(values, offset + i));
      }
      return greatest;
    }
  }
}
