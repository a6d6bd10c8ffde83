package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.byteAddress;
import static dev.jqlora.engine.cpu.FloatMemory.next;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.IntVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What {@link Panels} does with vectors of 512 bits, panels half a vector wide or of whole ones. Two vectors are merged by one
 * instruction, where a {@link LaneExchange} takes two, and every vector is stored whole. Numbers are moved
 * as ints: it is their bits that matter.
 *
 * <p>Eight rows become a panel half a vector wide, each of whose vectors holds two places of the summed axis. Three merges
 * bring them there, of rows that differ by one, two and four: then lane {@code 8 * (k % 2) + r} is of row r. Two of these
 * make sixteen lanes of a wider panel by a fourth.
 *
 * <p>On an AMD Zen 5, two threads, 16 numbers of float32 from memory took 3.6 ns from rows to half panels, where exchanges
 * and halves of vectors stored under a mask took 12 to 14; 5 instead of 7 to 9 from rows to whole panels; from columns 3.3
 * instead of 13 and as long as before, 6 to 7. Products, in turn with the code before, became 1 to 7 % faster.
 */
final class WidePanels {
  private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_512;
  private static final VectorSpecies<Short> SHORTS = ShortVector.SPECIES_256;
  private static final int LANES = 16;
  private static final int HALF = LANES / 2;
  private static final IntVector LOWER_1 = merge(1, 0);
  private static final IntVector UPPER_1 = merge(1, HALF);
  private static final IntVector LOWER_2 = merge(2, 0);
  private static final IntVector UPPER_2 = merge(2, HALF);
  private static final IntVector LOWER_4 = merge(4, 0);
  private static final IntVector UPPER_4 = merge(4, HALF);
  private static final IntVector LOWER_8 = merge(8, 0);
  private static final IntVector UPPER_8 = merge(8, HALF);

  private WidePanels() {}

  /** Whether vectors are of 512 bits, and a panel is half of one wide or whole ones. */
  static boolean fits(int width) {
    return VectorWidth.LANES == LANES && (width % LANES == 0 || width == HALF);
  }

  /** Of two vectors, {@code run} lanes of each in turn, from a lane on: what {@link IntVector#selectFrom} takes. */
  private static IntVector merge(int run, int first) {
    int[] lanes = new int[LANES];
    for (int lane = 0; lane < LANES; lane++) {
      lanes[lane] = lane / run % 2 * LANES + first + lane / (2 * run) * run + lane % run;
    }
    return IntVector.fromArray(INTS, lanes, 0);
  }

  /**
   * Sixteen rows become lanes of one panel.
   *
   * @param at where the first begins, in floats; the next {@code pitch} behind
   * @param depth a multiple of sixteen
   * @param place where the lanes begin, in floats
   * @param width of the panel, in floats
   */
  static void rowsToWhole(MemorySegment rows, long at, long pitch, int depth, MemorySegment panels, long place,
      int width) {
    rowsToHalf(rows, at, pitch, depth, panels, place, 2 * width);
    rowsToHalf(rows, at + HALF * pitch, pitch, depth, panels, place + width, 2 * width);
    long even = runs(panels, place, width, depth);
    long step = width * STEP;
    for (int k = 0; k < depth; k += 2) {
      IntVector first = load(even);
      IntVector second = load(even + step);
      store(LOWER_8.selectFrom(first, second), even);
      store(UPPER_8.selectFrom(first, second), even + step);
      even = next(even, 2 * step);
    }
  }

  /**
   * Eight rows become the lanes of a panel half a vector wide.
   *
   * @param step floats from one vector of the panel to the next
   */
  static void rowsToHalf(MemorySegment rows, long at, long pitch, int depth, MemorySegment panels, long place,
      int step) {
    long r0 = address(rows, at, depth);
    long r1 = address(rows, at + pitch, depth);
    long r2 = address(rows, at + 2 * pitch, depth);
    long r3 = address(rows, at + 3 * pitch, depth);
    long r4 = address(rows, at + 4 * pitch, depth);
    long r5 = address(rows, at + 5 * pitch, depth);
    long r6 = address(rows, at + 6 * pitch, depth);
    long r7 = address(rows, at + 7 * pitch, depth);
    long to = runs(panels, place, step, depth / 2);
    long bytes = step * STEP;
    for (int k = 0; k < depth; k += LANES) {
      IntVector v0 = fromMemorySegment(INTS, MEMORY, r0 + k * STEP, LITTLE_ENDIAN);
      IntVector v1 = fromMemorySegment(INTS, MEMORY, r1 + k * STEP, LITTLE_ENDIAN);
      IntVector v2 = fromMemorySegment(INTS, MEMORY, r2 + k * STEP, LITTLE_ENDIAN);
      IntVector v3 = fromMemorySegment(INTS, MEMORY, r3 + k * STEP, LITTLE_ENDIAN);
      IntVector v4 = fromMemorySegment(INTS, MEMORY, r4 + k * STEP, LITTLE_ENDIAN);
      IntVector v5 = fromMemorySegment(INTS, MEMORY, r5 + k * STEP, LITTLE_ENDIAN);
      IntVector v6 = fromMemorySegment(INTS, MEMORY, r6 + k * STEP, LITTLE_ENDIAN);
      IntVector v7 = fromMemorySegment(INTS, MEMORY, r7 + k * STEP, LITTLE_ENDIAN);
      IntVector lower01 = LOWER_1.selectFrom(v0, v1);
      IntVector upper01 = UPPER_1.selectFrom(v0, v1);
      IntVector lower23 = LOWER_1.selectFrom(v2, v3);
      IntVector upper23 = UPPER_1.selectFrom(v2, v3);
      IntVector lower45 = LOWER_1.selectFrom(v4, v5);
      IntVector upper45 = UPPER_1.selectFrom(v4, v5);
      IntVector lower67 = LOWER_1.selectFrom(v6, v7);
      IntVector upper67 = UPPER_1.selectFrom(v6, v7);
      IntVector first0 = LOWER_2.selectFrom(lower01, lower23);
      IntVector first1 = UPPER_2.selectFrom(lower01, lower23);
      IntVector first2 = LOWER_2.selectFrom(upper01, upper23);
      IntVector first3 = UPPER_2.selectFrom(upper01, upper23);
      IntVector last0 = LOWER_2.selectFrom(lower45, lower67);
      IntVector last1 = UPPER_2.selectFrom(lower45, lower67);
      IntVector last2 = LOWER_2.selectFrom(upper45, upper67);
      IntVector last3 = UPPER_2.selectFrom(upper45, upper67);
      LOWER_4.selectFrom(first0, last0).intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
      UPPER_4.selectFrom(first0, last0).intoMemorySegment(MEMORY, to + bytes, LITTLE_ENDIAN);
      LOWER_4.selectFrom(first1, last1).intoMemorySegment(MEMORY, to + 2 * bytes, LITTLE_ENDIAN);
      UPPER_4.selectFrom(first1, last1).intoMemorySegment(MEMORY, to + 3 * bytes, LITTLE_ENDIAN);
      LOWER_4.selectFrom(first2, last2).intoMemorySegment(MEMORY, to + 4 * bytes, LITTLE_ENDIAN);
      UPPER_4.selectFrom(first2, last2).intoMemorySegment(MEMORY, to + 5 * bytes, LITTLE_ENDIAN);
      LOWER_4.selectFrom(first3, last3).intoMemorySegment(MEMORY, to + 6 * bytes, LITTLE_ENDIAN);
      UPPER_4.selectFrom(first3, last3).intoMemorySegment(MEMORY, to + 7 * bytes, LITTLE_ENDIAN);
      to = next(to, HALF * bytes);
    }
  }

  /**
   * Sixteen columns become lanes of one panel: vectors are copied.
   *
   * @param at where the columns' numbers at the first place of the summed axis are, in floats; the next {@code pitch} behind
   * @param width of the panel, in floats
   */
  static void columnsToWhole(MemorySegment rows, long at, long pitch, int depth, MemorySegment panels, long place,
      int width) {
    long from = runs(rows, at, pitch, depth);
    long to = runs(panels, place, width, depth);
    for (int k = 0; k < depth; k++) {
      store(load(from), to);
      from = next(from, pitch * STEP);
      to = next(to, width * STEP);
    }
  }

  /**
   * The same of numbers in BF16, each of which is the upper half of the same number in F32.
   *
   * @param at where the columns' numbers at the first place of the summed axis are, in numbers
   */
  static void bfloat16ColumnsToWhole(MemorySegment rows, long at, long pitch, int depth, MemorySegment panels,
      long place,
      int width) {
    long from = byteAddress(rows, at * Short.BYTES, ((depth - 1) * pitch + LANES) * Short.BYTES);
    long to = runs(panels, place, width, depth);
    for (int k = 0; k < depth; k++) {
      IntVector halves = (IntVector) ShortVector.fromMemorySegment(SHORTS, MEMORY, from, LITTLE_ENDIAN)
          .convertShape(VectorOperators.ZERO_EXTEND_S2I, INTS, 0);
      store(halves.lanewise(VectorOperators.LSHL, Short.SIZE), to);
      from = next(from, pitch * Short.BYTES);
      to = next(to, width * STEP);
    }
  }

  /** Sixteen lanes of a panel become zero. */
  static void zeros(MemorySegment panels, long place, int depth, int width) {
    long to = runs(panels, place, width, depth);
    for (int k = 0; k < depth; k++) {
      store(IntVector.zero(INTS), to);
      to = next(to, width * STEP);
    }
  }

  /**
   * Sixteen columns become the lanes of two panels half a vector wide.
   *
   * @param depth even
   * @param place where the first panel's numbers go, in floats; those of the second {@code stride} behind
   */
  static void columnsToHalves(MemorySegment rows, long at, long pitch, int depth, MemorySegment panels, long place,
      long stride) {
    long from = runs(rows, at, pitch, depth);
    long to = address(panels, place, (long) depth * HALF);
    long second = address(panels, place + stride, (long) depth * HALF);
    for (int k = 0; k < depth; k += 2) {
      IntVector even = load(from);
      IntVector odd = load(from + pitch * STEP);
      store(LOWER_8.selectFrom(even, odd), to + k * HALF * STEP);
      store(UPPER_8.selectFrom(even, odd), second + k * HALF * STEP);
      from = next(from, 2 * pitch * STEP);
    }
  }

  /** The address of {@code count} vectors, each {@code step} floats behind the one before. */
  private static long runs(MemorySegment memory, long first, long step, int count) {
    return address(memory, first, (count - 1) * step + LANES);
  }

  private static IntVector load(long address) {
    return FloatMemory.loadAt(address).reinterpretAsInts();
  }

  private static void store(IntVector vector, long address) {
    FloatMemory.storeAt(vector.reinterpretAsFloats(), address);
  }
}
