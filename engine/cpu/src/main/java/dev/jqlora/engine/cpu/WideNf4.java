package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.byteAddress;
import static dev.jqlora.engine.cpu.FloatMemory.next;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What {@link Nf4Decoder} does with vectors of 512 bits: the 16 values of the code fill one, so 16 codes are spread over the
 * lanes by shifts and looked up by one permutation.
 *
 * <p>Columns go to their panels at once. The codes of 16 columns are eight bytes of a row, the next row's are in another page:
 * what that takes is waiting for memory, and a short loop over rows lets the core ask for many at a time. On an Intel Xeon of
 * 2023, each of two threads took 10 ns for 16 weights of 14336 × 4096 that way, where runs of 96 columns, decoded row by row
 * and then copied, took 25; 16 with the codes of 16 rows touched beforehand.
 */
final class WideNf4 {
  /** Weights that a run decodes with one look at their scale. */
  static final int GROUP = 64;
  static final int LANES = 16;

  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  /** Bytes of the codes of a vector's lanes, and of one word of them. */
  private static final int CODE_BYTES = LANES / 2;
  private static final int WORD_BYTES = Integer.BYTES;
  /** The bits of each code's value. */
  private static final IntVector VALUES = values();
  /** By how much each lane's code is shifted; a byte's high half comes first. */
  private static final IntVector SHIFT = IntVector.zero(INTS).addIndex(4).and(31).lanewise(VectorOperators.XOR, 4);
  private static final VectorMask<Integer> SECOND_WORD = IntVector.zero(INTS).addIndex(1)
      .compare(VectorOperators.GE, LANES / 2);

  private final MemorySegment codes;
  private final Absmax absmax;
  private final int blockSize;
  private final int blockBits;

  WideNf4(Nf4Tensor tensor) {
    codes = tensor.codes();
    absmax = tensor.absmax();
    blockSize = tensor.blockSize();
    blockBits = Integer.numberOfTrailingZeros(blockSize);
  }

  private static IntVector values() {
    int[] bits = new int[LANES];
    Arrays.setAll(bits, code -> Float.floatToRawIntBits(Nf4.value(code)));
    return IntVector.fromArray(INTS, bits, 0);
  }

  /** Whether vectors are of 512 bits. Sixteen weights from a multiple of sixteen on are within a block, whatever its size. */
  static boolean fits() {
    return VectorWidth.LANES == LANES;
  }

  /** Whether {@link #run} decodes {@code count} values from {@code first} on: whole groups, each within a block. */
  boolean decodes(long first, int count) {
    return blockSize >= GROUP && first % GROUP == 0 && count % GROUP == 0;
  }

  /** Decodes {@code count} values of the flattened tensor from {@code first} on, of which {@link #decodes} says that it can. */
  void run(long first, int count, MemorySegment target, long index) {
    MemorySegment codes = this.codes;
    Absmax absmax = this.absmax;
    int blockBits = this.blockBits;
    long from = byteAddress(codes, first / 2, count / 2);
    long to = address(target, index, count);
    for (int i = 0; i < count; i += GROUP) {
      float scale = absmax.get(first + i >> blockBits);
      decode(from, scale, to);
      decode(from + CODE_BYTES, scale, to + LANES * STEP);
      decode(from + 2 * CODE_BYTES, scale, to + 2 * LANES * STEP);
      decode(from + 3 * CODE_BYTES, scale, to + 3 * LANES * STEP);
      from = next(from, 4 * CODE_BYTES);
      to = next(to, GROUP * STEP);
    }
  }

  /**
   * Sixteen columns become lanes of a panel of whole vectors.
   *
   * @param at where the columns begin at the first place of the summed axis, in values of the flattened tensor, and how far
   *     the next is; both multiples of sixteen
   * @param place where the lanes begin, in floats
   * @param width of the panel, in floats
   */
  void columnsToWhole(long at, long pitch, int depth, MemorySegment panels, long place, int width) {
    MemorySegment codes = this.codes;
    Absmax absmax = this.absmax;
    int blockBits = this.blockBits;
    long from = byteAddress(codes, at / 2, ((depth - 1) * pitch + LANES) / 2);
    long to = address(panels, place, (long) (depth - 1) * width + LANES);
    for (int k = 0; k < depth; k++) {
      decode(from, absmax.get(at + k * pitch >> blockBits), to);
      from = next(from, pitch / 2);
      to = next(to, width * STEP);
    }
  }

  private static void decode(long from, float scale, long to) {
    IntVector spread = IntVector.broadcast(INTS, MEMORY.get(WORD, from))
        .blend(IntVector.broadcast(INTS, MEMORY.get(WORD, from + WORD_BYTES)), SECOND_WORD)
        .lanewise(VectorOperators.LSHR, SHIFT);
    FloatVector values = spread.selectFrom(VALUES).reinterpretAsFloats();
    values.mul(scale).intoMemorySegment(MEMORY, to, ByteOrder.LITTLE_ENDIAN);
  }
}
