package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * {@code y = W · x} for a single vector x: what generating one token does with every weight. Each weight is used once, so
 * reading memory sets the pace, and packing as {@link Gemm} does would cost ten times the product. Rows of W are dot
 * products along the stored rows instead.
 *
 * <p>A sum here is of {@link VectorWidth#LANES} interleaved chains, not one ascending chain as in {@link Gemm}: the two agree
 * to rounding, not to the bit. Neither depends on the number of threads.
 */
final class Gemv {
  /** Weights that make a task worth handing over. */
  private static final int GRAIN = 1 << 17;
  private static final VectorSpecies<Byte> QUARTER_BYTES = LANES == 16 ? ByteVector.SPECIES_128 : ByteVector.SPECIES_64;
  private static final VectorSpecies<Short> HALF_SHORTS = ShortVector.SPECIES_PREFERRED
      .withShape(VectorShape.forBitSize(LANES * Short.SIZE));
  /** Weights that come from one vector of bytes. */
  private static final int CHUNK = 2 * LANES;

  private Gemv() {}

  /**
   * @param x F32 {@code [weight.columns]}
   * @param y F32 {@code [weight.rows]}
   */
  static void multiply(Workers workers, MatrixSource weight, MemorySegment x, MemorySegment y) {
    float[] values = new float[weight.columns()];
    FloatMemory.read(x, 0, values, 0, values.length);
    Rows rows = rows(weight, values);
    int perTask = Math.max(4, GRAIN / Math.max(weight.columns(), 1) / 4 * 4);
    workers.parallel(Math.ceilDiv(weight.rows(), perTask),
        task -> rows.multiply(task * perTask, Math.min(weight.rows(), (task + 1) * perTask), y));
  }

  /** Dot products of some rows with the vector. */
  private interface Rows {
    void multiply(int first, int end, MemorySegment y);
  }

  private static Rows rows(MatrixSource weight, float[] x) {
    return switch (weight) {
      case MatrixSource.Quantized quantized when LANES == 16
          && weight.columns() % quantized.decoder().tensor().blockSize() == 0 ->
        new Nf4Rows(quantized.decoder().tensor(), x);
      case MatrixSource.Plain plain when plain.tensor().type().dtype() == DType.BF16 ->
        (first, end, y) -> bfloat16(plain, first, end, x, y);
      default -> (first, end, y) -> decoded(weight, first, end, x, y);
    };
  }

  /** Any form: rows are decoded into a buffer first. */
  private static void decoded(MatrixSource weight, int first, int end, float[] x, MemorySegment y) {
    float[] row = new float[x.length];
    for (int r = first; r < end; r++) {
      weight.read(r, 0, x.length, row, 0);
      FloatVector sum = FloatVector.zero(FLOATS);
      int i = 0;
      for (; i < FLOATS.loopBound(x.length); i += LANES) {
        sum = FloatVector.fromArray(FLOATS, row, i).fma(FloatVector.fromArray(FLOATS, x, i), sum);
      }
      FloatMemory.set(y, r, tail(row, x, i, LaneSum.of(sum)));
    }
  }

  private static float tail(float[] row, float[] x, int from, float sum) {
    float total = sum;
    for (int i = from; i < x.length; i++) {
      total = Math.fma(row[i], x[i], total);
    }
    return total;
  }

  /** The bits of a bfloat16 are the upper half of a float's. */
  private static void bfloat16(MatrixSource.Plain weight, int first, int end, float[] x, MemorySegment y) {
    MemorySegment data = weight.tensor().data();
    int bound = FLOATS.loopBound(x.length);
    float[] rest = new float[x.length];
    for (int r = first; r < end; r++) {
      long at = (long) r * x.length * Short.BYTES;
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int i = 0; i < bound; i += LANES) {
        IntVector bits = (IntVector) ShortVector
            .fromMemorySegment(HALF_SHORTS, data, at + (long) i * Short.BYTES, ByteOrder.LITTLE_ENDIAN)
            .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
        FloatVector w = bits.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats();
        sum = w.fma(FloatVector.fromArray(FLOATS, x, i), sum);
      }
      weight.read(r, bound, x.length - bound, rest, bound);
      FloatMemory.set(y, r, tail(rest, x, bound, LaneSum.of(sum)));
    }
  }

  /**
   * Rows of NF4 with vectors of 16 lanes. Sixteen bytes become 32 weights by two look-ups in a register: the high halves
   * are the even columns, the low halves the odd ones, so x is laid out that way once. A block's products are summed
   * before the one multiplication by its scale. Four rows share the loads of x.
   */
  private static final class Nf4Rows implements Rows {
    private static final int ROWS = 4;

    private final Nf4Tensor weight;
    private final int columns;
    /** Per chunk, the even elements, then the odd ones. */
    private final float[] x;
    private final int[] table = new int[16];

    Nf4Rows(Nf4Tensor weight, float[] values) {
      this.weight = weight;
      this.columns = values.length;
      this.x = new float[columns];
      for (int i = 0; i < columns; i++) {
        x[i / CHUNK * CHUNK + i % 2 * LANES + i % CHUNK / 2] = values[i];
      }
      Arrays.setAll(table, code -> Float.floatToRawIntBits(Nf4.value(code)));
    }

    @Override
    public void multiply(int first, int end, MemorySegment y) {
      Absmax absmax = weight.absmax();
      int blocks = columns / weight.blockSize();
      float[] scales = new float[ROWS * blocks];
      for (int row = first; row < end; row += ROWS) {
        int count = Math.min(ROWS, end - row);
        absmax.read((long) row * blocks, scales, 0, count * blocks);
        if (count == ROWS) {
          fourRows(row, scales, blocks, y);
        } else {
          for (int r = 0; r < count; r++) {
            oneRow(row + r, scales, r * blocks, blocks, y);
          }
        }
      }
    }

    private void oneRow(int row, float[] scales, int firstScale, int blocks, MemorySegment y) {
      IntVector values = IntVector.fromArray(INTS, table, 0);
      long at = (long) row * columns / 2;
      FloatVector sum = FloatVector.zero(FLOATS);
      for (int block = 0; block < blocks; block++) {
        FloatVector part = FloatVector.zero(FLOATS);
        for (int i = block * weight.blockSize(); i < (block + 1) * weight.blockSize(); i += CHUNK) {
          part = dot(at + i / 2, values, FloatVector.fromArray(FLOATS, x, i),
              FloatVector.fromArray(FLOATS, x, i + LANES), part);
        }
        sum = part.fma(FloatVector.broadcast(FLOATS, scales[firstScale + block]), sum);
      }
      FloatMemory.set(y, row, LaneSum.of(sum));
    }

    private void fourRows(int row, float[] scales, int blocks, MemorySegment y) {
      IntVector values = IntVector.fromArray(INTS, table, 0);
      long stride = columns / 2;
      long at = row * stride;
      int blockSize = weight.blockSize();
      FloatVector sum0 = FloatVector.zero(FLOATS);
      FloatVector sum1 = FloatVector.zero(FLOATS);
      FloatVector sum2 = FloatVector.zero(FLOATS);
      FloatVector sum3 = FloatVector.zero(FLOATS);
      for (int block = 0; block < blocks; block++) {
        FloatVector part0 = FloatVector.zero(FLOATS);
        FloatVector part1 = FloatVector.zero(FLOATS);
        FloatVector part2 = FloatVector.zero(FLOATS);
        FloatVector part3 = FloatVector.zero(FLOATS);
        for (int i = block * blockSize; i < (block + 1) * blockSize; i += CHUNK) {
          FloatVector even = FloatVector.fromArray(FLOATS, x, i);
          FloatVector odd = FloatVector.fromArray(FLOATS, x, i + LANES);
          long byteAt = at + i / 2;
          part0 = dot(byteAt, values, even, odd, part0);
          part1 = dot(byteAt + stride, values, even, odd, part1);
          part2 = dot(byteAt + 2 * stride, values, even, odd, part2);
          part3 = dot(byteAt + 3 * stride, values, even, odd, part3);
        }
        sum0 = part0.fma(FloatVector.broadcast(FLOATS, scales[block]), sum0);
        sum1 = part1.fma(FloatVector.broadcast(FLOATS, scales[blocks + block]), sum1);
        sum2 = part2.fma(FloatVector.broadcast(FLOATS, scales[2 * blocks + block]), sum2);
        sum3 = part3.fma(FloatVector.broadcast(FLOATS, scales[3 * blocks + block]), sum3);
      }
      FloatMemory.set(y, row, LaneSum.of(sum0));
      FloatMemory.set(y, row + 1L, LaneSum.of(sum1));
      FloatMemory.set(y, row + 2L, LaneSum.of(sum2));
      FloatMemory.set(y, row + 3L, LaneSum.of(sum3));
    }

    /** {@code sum} plus the products of the chunk whose codes begin at a byte. */
    private FloatVector dot(long byteAt, IntVector values, FloatVector even, FloatVector odd, FloatVector sum) {
      IntVector pairs = (IntVector) ByteVector
          .fromMemorySegment(QUARTER_BYTES, weight.codes(), byteAt, ByteOrder.LITTLE_ENDIAN)
          .convertShape(VectorOperators.ZERO_EXTEND_B2I, INTS, 0);
      FloatVector high = pairs.lanewise(VectorOperators.LSHR, 4).selectFrom(values).reinterpretAsFloats();
      FloatVector low = pairs.and(15).selectFrom(values).reinterpretAsFloats();
      return low.fma(odd, high.fma(even, sum));
    }
  }
}
