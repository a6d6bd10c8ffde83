package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import org.jspecify.annotations.Nullable;

/**
 * {@code y = W · x} for a single vector x: what generating one token does with every weight. Each weight is used once, so
 * reading memory sets the pace, and packing as {@link Gemm} does would cost ten times the product. Rows of W are dot
 * products along the stored rows instead.
 *
 * <p>A task's rows are read as {@value #ROWS} streams side by side, each from a place of its own. A processor holds only
 * so many instructions in flight, and those of a few cache lines of NF4 codes fill it, so it cannot look far ahead by
 * itself; and it fetches ahead within a page only. Eight streams start eight pages at once and share the loads of x.
 * What that gains, for the loop over codes alone on two cores that read 26 to 30 GB/s: one row at a time 11 GB/s, two
 * neighbouring rows 8, two streams 15, four 16 to 18, eight 18. On an AMD Zen 5, whose one core reads 23 GB/s, products with
 * NF4 went from 9 to 13 GB/s when threads kept their buffers from task to task and scales were decoded by permutations.
 *
 * <p>A row of BF16 is long and takes few instructions: two cores of a Zen 5 go over it at 61 GB/s row after row, with tasks of
 * 512 KB, and at 44 in four streams, where reading alone reached 60.
 *
 * <p>A sum here is of interleaved chains, not one ascending chain as in {@link Gemm}: the two agree to rounding, not to
 * the bit. Neither depends on the number of threads.
 */
final class Gemv {
  /** Rows that are multiplied at a time. */
  static final int ROWS = 8;

  /** Bytes of weight that make a task: some pages for each stream. */
  private static final long TASK_BYTES = 1 << 17;
  /** The same where rows are read in order: as much as leaves a matrix {@link #TASKS} tasks, up to this. */
  private static final long LONG_TASK_BYTES = 1 << 19;
  private static final int TASKS = 16;

  private Gemv() {}

  /** Dot products of rows with the vector, by one thread. */
  interface Rows {
    /** Makes ready the rows that are multiplied next. */
    default void begin(int firstRow, int count) {}

    /**
     * Puts into {@code sums} the products of the rows {@code first + i · distance}, i from 0 to {@link Gemv#ROWS} - 1. With
     * distance 0 only the first sum counts.
     */
    void multiply(int first, int distance, float[] sums);
  }

  /** A matrix and a vector in one form, made once for a product. */
  @FunctionalInterface
  interface Form {
    /** Whether rows are best read one after the other as they lie, and not as streams side by side. */
    default boolean inOrder() {
      return false;
    }

    /**
     * With the buffers that a thread needs: one set for all its tasks, since memory that the heap gives out anew is not in
     * the caches.
     *
     * @param most rows of a task
     */
    Rows rows(int most);
  }

  /**
   * @param x F32 {@code [weight.columns]}
   * @param y F32 {@code [weight.rows]}
   */
  static void multiply(Workers workers, MatrixSource weight, MemorySegment x, MemorySegment y) {
    multiply(workers, weight, x, 1, false, y);
  }

  /** {@code y = alpha · W · x}, or that added to y. */
  static void multiply(Workers workers, MatrixSource weight, MemorySegment x, float alpha, boolean accumulate,
      MemorySegment y) {
    float[] values = new float[weight.columns()];
    FloatMemory.read(x, 0, values, 0, values.length);
    Form form = form(weight, values);
    int perTask = Math.min(rowsPerTask(weight, form.inOrder()), weight.rows());
    @Nullable
    Rows[] byWorker = new Rows[workers.threads()];
    workers.parallel(Math.ceilDiv(weight.rows(), perTask), (task, worker) -> {
      int first = task * perTask;
      int end = Math.min(weight.rows(), first + perTask);
      Rows own = byWorker[worker];
      Rows rows = own == null ? form.rows(perTask) : own;
      byWorker[worker] = rows;
      rows.begin(first, end - first);
      float[] sums = new float[ROWS];
      int groups = (end - first) / ROWS;
      int distance = form.inOrder() ? 1 : groups;
      for (int group = 0; group < groups; group++) {
        int row = first + group * (form.inOrder() ? ROWS : 1);
        rows.multiply(row, distance, sums);
        for (int i = 0; i < ROWS; i++) {
          put(sums[i], alpha, accumulate, y, row + i * distance);
        }
      }
      for (int row = first + ROWS * groups; row < end; row++) {
        rows.multiply(row, 0, sums);
        put(sums[0], alpha, accumulate, y, row);
      }
    });
  }

  private static int rowsPerTask(MatrixSource weight, boolean inOrder) {
    double bytesPerValue = switch (weight) {
      case MatrixSource.Quantized _ -> 0.5;
      case MatrixSource.Plain(var tensor, _, _) -> tensor.type().dtype().bytes();
      case MatrixSource.Heads _,MatrixSource.Floats _ -> Float.BYTES;
    };
    double rowBytes = bytesPerValue * Math.max(weight.columns(), 1);
    double taskBytes = inOrder
        ? Math.clamp(weight.rows() * rowBytes / TASKS, TASK_BYTES, LONG_TASK_BYTES)
        : TASK_BYTES;
    long groups = (long) (taskBytes / (rowBytes * ROWS));
    return ROWS * Math.clamp(groups, 1, 1 << 12);
  }

  private static void put(float sum, float alpha, boolean accumulate, MemorySegment y, long row) {
    FloatMemory.set(y, row, accumulate ? Math.fma(alpha, sum, FloatMemory.get(y, row)) : alpha * sum);
  }

  private static Form form(MatrixSource weight, float[] x) {
    return switch (weight) {
      case MatrixSource.Quantized(var decoder, _, _) when GemvNf4.fits(decoder.tensor()) ->
        new GemvNf4(decoder.tensor(), x);
      case MatrixSource.Plain(var tensor, _, _) when tensor.type().dtype() == DType.BF16 && GemvBfloat16.fits(x) ->
        new GemvBfloat16(tensor.data(), x);
      case MatrixSource.Plain(var tensor, _, _) when tensor.type().dtype() == DType.F32 ->
        new GemvFloat32(tensor.data(), x);
      default -> _ -> new Decoded(weight, x, Arena.ofAuto().allocate((long) x.length * Float.BYTES, Float.BYTES));
    };
  }

  /** Any form: a row is decoded into a buffer first. */
  private record Decoded(MatrixSource weight, float[] x, MemorySegment buffer) implements Rows {
    @Override
    public void multiply(int first, int distance, float[] sums) {
      for (int i = 0; i < (distance == 0 ? 1 : ROWS); i++) {
        weight.read(first + i * distance, 0, x.length, buffer, 0);
        sums[i] = dot();
      }
    }

    private float dot() {
      FloatVector sum = FloatVector.zero(FLOATS);
      int i = 0;
      for (; i < FLOATS.loopBound(x.length); i += LANES) {
        sum = FloatMemory.load(buffer, i).fma(FloatVector.fromArray(FLOATS, x, i), sum);
      }
      float total = LaneSum.of(sum);
      for (; i < x.length; i++) {
        total = Math.fma(FloatMemory.get(buffer, i), x[i], total);
      }
      return total;
    }
  }
}
