package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.INTS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import dev.jqlora.engine.tensor.BFloat16;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/** A row-major matrix in whatever form it is stored, read as runs of float32. */
sealed interface MatrixSource {
  int rows();

  int columns();

  /** Decodes {@code count} values of a row, from a column on, to {@code target} from float {@code index} on. */
  void read(int row, int column, int count, MemorySegment target, long index);

  /** Sixteen columns of some rows become lanes of a panel of whole vectors, as by {@link WidePanels#columnsToWhole}. */
  @FunctionalInterface
  interface WholeColumns {
    /**
     * @param row the first of {@code depth}
     * @param column the first of sixteen, as many multiples of sixteen as one likes from the one that was asked for
     * @param place where the first row's numbers go, in floats; the next {@code width} behind
     */
    void copy(int row, int column, int depth, MemorySegment panels, long place, int width);
  }

  /** What copies columns by vectors of 512 bits, from a column on; null where only {@link #read} brings them. */
  default @Nullable WholeColumns wholeColumns(int column) {
    return null;
  }

  /** The numbers where they lie as float32 outside the heap, row after row; null where only {@link #read} brings them. */
  default @Nullable MemorySegment floats() {
    return null;
  }

  /** A matrix of F32, F16 or BF16; leading axes are folded into rows. */
  static MatrixSource of(Tensor tensor) {
    Shape shape = tensor.type().shape();
    return new Plain(tensor, rows(shape), shape.last());
  }

  /** A matrix in NF4. */
  static MatrixSource of(Nf4Tensor tensor) {
    Shape shape = tensor.shape();
    return new Quantized(new Nf4Decoder(tensor), rows(shape), shape.last());
  }

  /** A matrix of F32 outside the heap. */
  static MatrixSource of(MemorySegment floats, int rows, int columns) {
    return new Floats(floats, rows, columns);
  }

  private static WholeColumns floatColumns(MemorySegment floats, int columns) {
    return (row, first, depth, panels, place, width) -> WidePanels.columnsToWhole(floats, (long) row * columns + first,
        columns, depth, panels, place, width);
  }

  private static int rows(Shape shape) {
    return shape.rank() == 0 ? 1 : Math.toIntExact(shape.withLast(1).elements());
  }

  /** Numbers as they are, widened to float32. */
  record Plain(Tensor tensor, int rows, int columns) implements MatrixSource {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /** As many shorts as there are floats in a vector. */
    private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_PREFERRED
        .withShape(VectorShape.forBitSize(LANES * Short.SIZE));

    @Override
    public @Nullable MemorySegment floats() {
      MemorySegment data = tensor.data();
      return tensor.type().dtype() == DType.F32 && data.isNative() ? data : null;
    }

    @Override
    public @Nullable WholeColumns wholeColumns(int column) {
      MemorySegment data = tensor.data();
      return switch (tensor.type().dtype()) {
        case F32 -> data.isNative() ? floatColumns(data, columns) : null;
        case BF16 -> (row, first, depth, panels, place, width) -> WidePanels.bfloat16ColumnsToWhole(data,
            (long) row * columns + first, columns, depth, panels, place, width);
        case F16, I32, U8 -> null;
      };
    }

    @Override
    public void read(int row, int column, int count, MemorySegment target, long index) {
      long first = (long) row * columns + column;
      MemorySegment data = tensor.data();
      DType dtype = tensor.type().dtype();
      switch (dtype) {
        case F32 ->
          MemorySegment.copy(data, first * Float.BYTES, target, index * Float.BYTES, (long) count * Float.BYTES);
        case BF16 -> readBFloat16(data, first, count, target, index);
        case F16 -> {
          for (int i = 0; i < count; i++) {
            FloatMemory.set(target, index + i, Float.float16ToFloat(data.get(I16, (first + i) * Short.BYTES)));
          }
        }
        case I32, U8 -> throw new IllegalArgumentException("not a matrix of real numbers: " + tensor.type());
      }
    }

    /** Every BF16 number is the upper half of the same number in F32. */
    private static void readBFloat16(MemorySegment data, long first, int count, MemorySegment target, long index) {
      long from = FloatMemory.byteAddress(data, first * Short.BYTES, (long) count * Short.BYTES);
      long to = FloatMemory.address(target, index, count);
      int i = 0;
      for (; i < SHORTS.loopBound(count); i += LANES) {
        ShortVector halves = ShortVector.fromMemorySegment(SHORTS, FloatMemory.MEMORY, from + (long) i * Short.BYTES,
            ByteOrder.LITTLE_ENDIAN);
        IntVector bits = (IntVector) halves.convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
        FloatMemory.storeAt(bits.lanewise(VectorOperators.LSHL, Short.SIZE).reinterpretAsFloats(),
            to + i * FloatMemory.STEP);
      }
      for (; i < count; i++) {
        FloatMemory.set(target, index + i, BFloat16.toFloat(data.get(I16, (first + i) * Short.BYTES)));
      }
    }
  }

  /**
   * F32 numbers, row after row: what kernels pack of their own memory, a tile at a time. As a {@link Plain} tensor, which is asked
   * for its type each time, attention took 1 to 2 % longer.
   */
  record Floats(MemorySegment floats, int rows, int columns) implements MatrixSource {
    @Override
    public WholeColumns wholeColumns(int column) {
      return floatColumns(floats, columns);
    }

    @Override
    public void read(int row, int column, int count, MemorySegment target, long index) {
      FloatMemory.copy(floats, (long) row * columns + column, target, index, count);
    }
  }

  /** NF4 codes, decoded on the way. */
  record Quantized(Nf4Decoder decoder, int rows, int columns) implements MatrixSource {
    @Override
    public void read(int row, int column, int count, MemorySegment target, long index) {
      decoder.read((long) row * columns + column, count, target, index);
    }

    @Override
    public @Nullable WholeColumns wholeColumns(int column) {
      WideNf4 wide = decoder.wideColumns(column, columns);
      return wide == null
          ? null
          : (row, first, depth, panels, place, width) -> wide.columnsToWhole((long) row * columns + first, columns,
              depth, panels, place, width);
    }
  }

  /**
   * Some neighbouring heads of {@code [tokens, heads, headDim]}: row {@code token * group + g} is head
   * {@code firstHead + g} of that token.
   */
  record Heads(MemorySegment data, int tokens, int heads, int firstHead, int group, int headDim)
      implements
        MatrixSource {
    @Override
    public int rows() {
      return tokens * group;
    }

    @Override
    public int columns() {
      return headDim;
    }

    @Override
    public void read(int row, int column, int count, MemorySegment target, long index) {
      MemorySegment.copy(data, (at(row) + column) * Float.BYTES, target, index * Float.BYTES,
          (long) count * Float.BYTES);
    }

    /** Where a row begins, in floats. */
    long at(int row) {
      return ((long) (row / group) * heads + firstHead + row % group) * headDim;
    }
  }
}
