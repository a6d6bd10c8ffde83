package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.LaneExchange.BY_1;
import static dev.jqlora.engine.cpu.LaneExchange.BY_2;
import static dev.jqlora.engine.cpu.LaneExchange.BY_4;
import static dev.jqlora.engine.cpu.LaneExchange.BY_8;
import static dev.jqlora.engine.cpu.LaneExchange.WITHOUT_1;
import static dev.jqlora.engine.cpu.LaneExchange.WITHOUT_2;
import static dev.jqlora.engine.cpu.LaneExchange.WITHOUT_4;
import static dev.jqlora.engine.cpu.LaneExchange.WITHOUT_8;
import static dev.jqlora.engine.cpu.LaneExchange.WITH_1;
import static dev.jqlora.engine.cpu.LaneExchange.WITH_2;
import static dev.jqlora.engine.cpu.LaneExchange.WITH_4;
import static dev.jqlora.engine.cpu.LaneExchange.WITH_8;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * {@link Gemm} for few rows of A and a weight in BF16, B transposed: the output head where one token is scored. Each number
 * of the weight is used once, so packing it as {@link Gemm} does costs more than the product. Rows of the weight become lanes
 * here too, so that sums are in Gemm's order to the bit, which {@link Gemv}'s are not.
 *
 * <p>What is transposed by {@link LaneExchange}s are words of two neighbouring numbers, half as many as numbers, and only
 * then widened: a shift brings the even one up, a mask leaves the odd one. A task takes two vectors of columns, and a cut of
 * the summed axis at a time lies in its core's first caches.
 *
 * <p><b>Speed</b>, the head of Llama 3 8B on two cores of an AMD Zen 5: mostly 49 to 80 ms for one to eight rows (two
 * processes of ten took 120), where packing took 110 to 127; {@link Gemv} 28 to 32 for one. Transposing and reading memory hardly
 * overlap. For a weight in F32, of as many bytes, packing was as fast, 54 ms.
 */
final class SkinnyGemm {
  /** Most rows of A. */
  static final int MAX_ROWS = 8;

  /** Rows of A that are multiplied together. A single one takes the same time: the weight sets the pace. */
  private static final int ROWS = 4;
  /** Columns of C that a task computes. */
  private static final int COLUMNS = 2 * LANES;
  private static final int UPPER_HALF = 0xffff0000;

  private final Workers workers;
  private final Buffers[] buffers;

  SkinnyGemm(Workers workers) {
    this.workers = workers;
    buffers = new Buffers[workers.threads()];
    Arrays.setAll(buffers, _ -> new Buffers(new float[COLUMNS * Gemm.DEPTH / 2], new float[MAX_ROWS * COLUMNS]));
  }

  /**
   * Memory of one thread, of the heap: after a store to other memory Java's compiler reads masks and bounds anew.
   *
   * @param lanes a cut of B, {@code [words][COLUMNS]}
   * @param sums {@code [rows][COLUMNS]}
   */
  private record Buffers(float[] lanes, float[] sums) {}

  /** Whether a product is one for this class. */
  static boolean fits(Gemm.Operand a, Gemm.Operand b) {
    return a.rows() <= MAX_ROWS && !a.transposed() && b.transposed() && b.columns() >= LANES
        && a.matrix() instanceof MatrixSource.Plain(var x, _, _) && x.type().dtype() == DType.F32
        && b.matrix() instanceof MatrixSource.Plain(var weight, _, int depth)
        && weight.type().dtype() == DType.BF16 && depth % (2 * LANES) == 0;
  }

  /** {@link Gemm#multiply} for a product that {@linkplain #fits fits}. */
  void multiply(Gemm.Operand a, Gemm.Operand b, float alpha, boolean accumulate, MemorySegment c) {
    if (a.matrix() instanceof MatrixSource.Plain x && b.matrix() instanceof MatrixSource.Plain weight) {
      Product product = new Product(interleaved(x), x.rows(), weight.tensor().data(), weight.rows(),
          weight.columns(), alpha, accumulate, c);
      workers.parallel(Math.ceilDiv(weight.rows(), COLUMNS),
          (task, worker) -> product.columns(task * COLUMNS, buffers[worker]));
    }
  }

  /** x as {@code [groups of ROWS][depth][ROWS]}; rows that are missing are zero. */
  private static float[] interleaved(MatrixSource.Plain x) {
    int depth = x.columns();
    float[] values = new float[Math.ceilDiv(x.rows(), ROWS) * ROWS * depth];
    for (int row = 0; row < x.rows(); row++) {
      int first = row / ROWS * ROWS * depth + row % ROWS;
      for (int k = 0; k < depth; k++) {
        values[first + k * ROWS] = FloatMemory.get(x.tensor().data(), (long) row * depth + k);
      }
    }
    return values;
  }

  /**
   * @param x as {@link #interleaved}
   * @param weight BF16 {@code [outputs, depth]}, read as words of two neighbouring numbers
   */
  private record Product(float[] x, int rows, MemorySegment weight, int outputs, int depth, float alpha,
      boolean accumulate, MemorySegment c) {

    /** The columns of C from {@code begin} on. Where fewer than a vector are left, those before are computed again. */
    void columns(int begin, Buffers buffers) {
      float[] sums = buffers.sums;
      int first0 = Math.min(begin, outputs - LANES);
      int first1 = Math.min(begin + LANES, outputs - LANES);
      Arrays.fill(sums, 0f);
      for (int row = 0; row < rows && accumulate; row++) {
        FloatMemory.read(c, (long) row * outputs + first0, sums, row * COLUMNS, LANES);
        FloatMemory.read(c, (long) row * outputs + first1, sums, row * COLUMNS + LANES, LANES);
      }
      int words = depth / 2;
      int cut = Gemm.DEPTH / 2;
      for (int word = 0; word < words; word += cut) {
        int count = Math.min(cut, words - word);
        exchangeFours((long) first0 * words + word, words, count, buffers.lanes, 0);
        exchangeFours((long) first1 * words + word, words, count, buffers.lanes, LANES);
        exchangeWithinFour(buffers.lanes, count);
        for (int row = 0; row < rows; row += ROWS) {
          addCut(x, row * depth + 2 * word * ROWS, buffers.lanes, count, alpha, sums, row * COLUMNS);
        }
      }
      for (int row = 0; row < rows; row++) {
        write(sums, row * COLUMNS, row, begin, first0);
        write(sums, row * COLUMNS + LANES, row, begin + LANES, first1);
      }
    }

    /** Of the sums of columns from {@code first} on, those from {@code begin} on. */
    private void write(float[] sums, int at, int row, int begin, int first) {
      int known = begin - first;
      if (known < LANES) {
        FloatMemory.write(sums, at + known, c, (long) row * outputs + begin, LANES - known);
      }
    }

    /** The exchanges by 4 and 8, where vectors are that wide, from LANES rows of the weight. */
    private void exchangeFours(long first, long stride, int words, float[] lanes, int to) {
      MemorySegment weight = this.weight;
      for (int row = 0; row < 4; row++) {
        long from = first + row * stride;
        int place = to + row * COLUMNS;
        for (int i = 0; i < words; i += LANES) {
          FloatVector v0 = FloatMemory.load(weight, from + i);
          if (LANES == 4) {
            v0.intoArray(lanes, place + i * COLUMNS);
            continue;
          }
          FloatVector v1 = FloatMemory.load(weight, from + i + 4 * stride);
          FloatVector w0 = v0.blend(v1.rearrange(BY_4), WITH_4);
          FloatVector w1 = v1.blend(v0.rearrange(BY_4), WITHOUT_4);
          if (LANES == 8) {
            w0.intoArray(lanes, place + i * COLUMNS);
            w1.intoArray(lanes, place + (i + 4) * COLUMNS);
            continue;
          }
          FloatVector v2 = FloatMemory.load(weight, from + i + 8 * stride);
          FloatVector v3 = FloatMemory.load(weight, from + i + 12 * stride);
          FloatVector w2 = v2.blend(v3.rearrange(BY_4), WITH_4);
          FloatVector w3 = v3.blend(v2.rearrange(BY_4), WITHOUT_4);
          w0.blend(w2.rearrange(BY_8), WITH_8).intoArray(lanes, place + i * COLUMNS);
          w1.blend(w3.rearrange(BY_8), WITH_8).intoArray(lanes, place + (i + 4) * COLUMNS);
          w2.blend(w0.rearrange(BY_8), WITHOUT_8).intoArray(lanes, place + (i + 8) * COLUMNS);
          w3.blend(w1.rearrange(BY_8), WITHOUT_8).intoArray(lanes, place + (i + 12) * COLUMNS);
        }
      }
    }

    /** The exchanges by 1 and 2, in place. */
    private static void exchangeWithinFour(float[] lanes, int words) {
      for (int half = 0; half < COLUMNS; half += LANES) {
        for (int i = 0; i < words; i += 4) {
          int at = i * COLUMNS + half;
          FloatVector v0 = FloatVector.fromArray(FLOATS, lanes, at);
          FloatVector v1 = FloatVector.fromArray(FLOATS, lanes, at + COLUMNS);
          FloatVector v2 = FloatVector.fromArray(FLOATS, lanes, at + 2 * COLUMNS);
          FloatVector v3 = FloatVector.fromArray(FLOATS, lanes, at + 3 * COLUMNS);
          FloatVector w0 = v0.blend(v1.rearrange(BY_1), WITH_1);
          FloatVector w1 = v1.blend(v0.rearrange(BY_1), WITHOUT_1);
          FloatVector w2 = v2.blend(v3.rearrange(BY_1), WITH_1);
          FloatVector w3 = v3.blend(v2.rearrange(BY_1), WITHOUT_1);
          w0.blend(w2.rearrange(BY_2), WITH_2).intoArray(lanes, at);
          w1.blend(w3.rearrange(BY_2), WITH_2).intoArray(lanes, at + COLUMNS);
          w2.blend(w0.rearrange(BY_2), WITHOUT_2).intoArray(lanes, at + 2 * COLUMNS);
          w3.blend(w1.rearrange(BY_2), WITHOUT_2).intoArray(lanes, at + 3 * COLUMNS);
        }
      }
    }
  }

  /** Adds alpha times a cut's chains for {@link #ROWS} rows of x to {@code [ROWS][COLUMNS]} of {@code sums}. */
  private static void addCut(float[] x, int first, float[] lanes, int words, float alpha, float[] sums, int at) {
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = c00;
    FloatVector c10 = c00;
    FloatVector c11 = c00;
    FloatVector c20 = c00;
    FloatVector c21 = c00;
    FloatVector c30 = c00;
    FloatVector c31 = c00;
    for (int i = 0; i < words; i++) {
      IntVector pairs0 = FloatVector.fromArray(FLOATS, lanes, i * COLUMNS).reinterpretAsInts();
      IntVector pairs1 = FloatVector.fromArray(FLOATS, lanes, i * COLUMNS + LANES).reinterpretAsInts();
      FloatVector even0 = pairs0.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
      FloatVector even1 = pairs1.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
      FloatVector odd0 = pairs0.and(UPPER_HALF).reinterpretAsFloats();
      FloatVector odd1 = pairs1.and(UPPER_HALF).reinterpretAsFloats();
      FloatVector a0 = FloatVector.broadcast(FLOATS, x[first + 8 * i]);
      c00 = a0.fma(even0, c00);
      c01 = a0.fma(even1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 1]);
      c10 = a1.fma(even0, c10);
      c11 = a1.fma(even1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 2]);
      c20 = a2.fma(even0, c20);
      c21 = a2.fma(even1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 3]);
      c30 = a3.fma(even0, c30);
      c31 = a3.fma(even1, c31);
      FloatVector b0 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 4]);
      c00 = b0.fma(odd0, c00);
      c01 = b0.fma(odd1, c01);
      FloatVector b1 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 5]);
      c10 = b1.fma(odd0, c10);
      c11 = b1.fma(odd1, c11);
      FloatVector b2 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 6]);
      c20 = b2.fma(odd0, c20);
      c21 = b2.fma(odd1, c21);
      FloatVector b3 = FloatVector.broadcast(FLOATS, x[first + 8 * i + 7]);
      c30 = b3.fma(odd0, c30);
      c31 = b3.fma(odd1, c31);
    }
    add(c00, alpha, sums, at);
    add(c01, alpha, sums, at + LANES);
    add(c10, alpha, sums, at + COLUMNS);
    add(c11, alpha, sums, at + COLUMNS + LANES);
    add(c20, alpha, sums, at + 2 * COLUMNS);
    add(c21, alpha, sums, at + 2 * COLUMNS + LANES);
    add(c30, alpha, sums, at + 3 * COLUMNS);
    add(c31, alpha, sums, at + 3 * COLUMNS + LANES);
  }

  private static void add(FloatVector chains, float alpha, float[] sums, int at) {
    chains.fma(FloatVector.broadcast(FLOATS, alpha), FloatVector.fromArray(FLOATS, sums, at)).intoArray(sums, at);
  }
}
