package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.ADDRESSES;
import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.STEP;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.FloatMemory.next;
import static dev.jqlora.engine.cpu.FloatMemory.storeAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The innermost part of the matrix product: a tile of C from one panel of A and one of B, all of it in registers.
 *
 * <p>The tile is {@link #ROWS} rows by three vectors. With 32 registers that is 8 rows, 24 accumulators: each step of
 * the sum loads 3 vectors and 8 broadcast numbers for 24 fused multiply-adds, so arithmetic and not loading sets the
 * pace. With 16 registers it is 4 rows, 12 accumulators. Where only one or two vectors of columns remain, narrower kernels
 * finish. The accumulators are local variables written out one by one because an array of vectors would live
 * in memory; and nothing but a load is a helper method, because the compiler inlines only so much into one method. A method
 * half as long again stayed with the quick compiler in a whole run, which ran out of registers, at a tenth of the speed; so
 * did one that added to the sums as it stored, which is left to {@link #add}.
 *
 * <p>Memory is read by address (see {@link FloatMemory}). So a step checks nothing. While bounds were checked within it, it had
 * 76 instructions and went at 67 to 91 % of the roof (AMD Zen 5). With checks before the loop it had 48, and 93 to 95 %; but
 * the compiler then kept the number that is read ahead in a vector register, with two more instructions for the units that
 * multiply, which on an Intel Xeon (2023) are two: 92 %. By address it has 100. Three addresses move on by a step each: 48
 * instructions, five more where the compiler keeps an address in memory. With a place computed from k for each of B's vectors
 * it had 52 to 55, and where they all lay in one row the compiler once put six numbers of A before the multiply-adds, which
 * left two sums no register: 88 %.
 *
 * <p>Java's compiler makes a graph, and beyond 18,000 nodes takes in no method that the JDK does not demand; a read has one
 * such method. The last read of A reached that node. In about one of ten processes with products that packed A a cut at a time
 * it was reached before that method: each step called it and saved all registers for it, at a quarter of the speed. So the
 * kernels take addresses, which {@link #multiply} checks, and the last read stands a row further up. With all reads first the
 * compiler kept them in registers: 0.77 of the speed.
 *
 * <p>Every number of the tile is a chain of fused multiply-adds over the summed axis in ascending order, whatever the
 * tile's place or the kernel.
 */
final class GemmTile {
  /** Rows of a tile, the width of A's panels. */
  static final int ROWS = VectorWidth.MANY_REGISTERS ? 8 : 4;
  /** Columns of a tile, the width of a panel of B, which is three of {@link VectorWidth#LANES} columns. */
  static final int COLUMNS = 3 * LANES;
  /** Numbers of a tile. */
  static final int SIZE = ROWS * COLUMNS;

  /** Floats of A that each step of the sum reads ahead: two calls bring a panel. */
  static final int AHEAD = ROWS / 2;

  private static final long A_STEP = (long) ROWS * Float.BYTES;
  /** Bytes of a vector, and of a row of B or of the tile. */
  private static final long VECTOR = (long) LANES * Float.BYTES;
  private static final long ROW = (long) COLUMNS * Float.BYTES;
  private static final long AHEAD_STEP = (long) AHEAD * Float.BYTES;
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);

  private GemmTile() {}

  /**
   * Makes {@code [ROWS][COLUMNS]} of {@code tile} the product of {@code a[depth][ROWS]} transposed and
   * {@code b[depth][COLUMNS]}. Vectors of columns beyond {@code columns} are left as they are.
   *
   * <p>Meanwhile memory of A that is needed next is brought into the cache. Java has no instruction to prefetch, so a
   * number is read in each step of the sum. Spread over the steps that costs nothing, whereas a tile that begins with
   * memory from the outer caches waits for it.
   *
   * @param at where the result is in {@code tile}, in floats; offsets of a and b likewise
   * @param next where that memory begins in {@code a}, in floats: {@code depth *} {@link #AHEAD} of them; a tile one vector wide
   *     leaves it unread
   * @return a sum of what was read; the caller keeps it, or the compiler would leave the reading out
   */
  static int multiply(MemorySegment a, long aOffset, MemorySegment b, long bOffset, int depth, int columns,
      MemorySegment tile, long at, long next) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long bAt = address(b, bOffset, (long) depth * COLUMNS);
    long to = address(tile, at, SIZE);
    long nextAt = address(a, next, (long) depth * AHEAD);
    boolean tall = ROWS == 8;
    if (columns > 2 * LANES) {
      return tall ? eightByThree(aAt, bAt, depth, to, nextAt) : fourByThree(aAt, bAt, depth, to, nextAt);
    }
    if (columns > LANES) {
      return tall ? eightByTwo(aAt, bAt, depth, to, nextAt) : fourByTwo(aAt, bAt, depth, to, nextAt);
    }
    if (tall) {
      eightByOne(aAt, bAt, depth, to);
    } else {
      fourByOne(aAt, bAt, depth, to);
    }
    return 0;
  }

  /** {@code sums = alpha * tile + (anew ? 0 : sums)}, one tile each, as one row of numbers. */
  static void add(MemorySegment tile, float alpha, boolean anew, MemorySegment sums, long at) {
    add(tile, 0, SIZE, alpha, anew, sums, at, SIZE, 1, SIZE);
  }

  /**
   * {@code c = alpha * sums + (anew ? 0 : c)} for {@code height * width} numbers of each; pitches are the floats from a row to
   * the next. Attention's gradient compiles this together with much else, so its inner loop has no helper methods (see
   * {@link FloatMemory}).
   */
  static void add(MemorySegment sums, long at, long pitch, float alpha, boolean anew, MemorySegment c, long cAt,
      long cPitch, int height, int width) {
    long from = address(sums, at, (height - 1) * pitch + width);
    long to = address(c, cAt, (height - 1) * cPitch + width);
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int whole = FLOATS.loopBound(width);
    for (int row = 0; row < height; row++) {
      for (int i = 0; i < whole; i += LANES) {
        FloatVector product = fromMemorySegment(FLOATS, MEMORY, from + i * STEP, LITTLE_ENDIAN);
        FloatVector sum = anew
            ? product.mul(factor)
            : product.fma(factor, fromMemorySegment(FLOATS, MEMORY, to + i * STEP, LITTLE_ENDIAN));
        sum.intoMemorySegment(MEMORY, to + i * STEP, LITTLE_ENDIAN);
      }
      if (whole < width) {
        VectorMask<Float> rest = FloatMemory.tail(width - whole);
        FloatVector product = loadAt(from + whole * STEP, rest);
        storeAt(anew ? product.mul(factor) : product.fma(factor, loadAt(to + whole * STEP, rest)), to + whole * STEP,
            rest);
      }
      from = next(from, pitch * STEP);
      to = next(to, cPitch * STEP);
    }
  }

  /** Copies {@code height * width} numbers from one matrix to another, otherwise as {@link #add} does. */
  static void copy(MemorySegment source, long at, long pitch, MemorySegment target, long targetAt, long targetPitch,
      int height, int width) {
    long from = address(source, at, (height - 1) * pitch + width);
    long to = address(target, targetAt, (height - 1) * targetPitch + width);
    int whole = FLOATS.loopBound(width);
    for (int row = 0; row < height; row++) {
      for (int i = 0; i < whole; i += LANES) {
        fromMemorySegment(FLOATS, MEMORY, from + i * STEP, LITTLE_ENDIAN)
            .intoMemorySegment(MEMORY, to + i * STEP, LITTLE_ENDIAN);
      }
      if (whole < width) {
        VectorMask<Float> rest = FloatMemory.tail(width - whole);
        storeAt(loadAt(from + whole * STEP, rest), to + whole * STEP, rest);
      }
      from = next(from, pitch * STEP);
      to = next(to, targetPitch * STEP);
    }
  }

  private static int eightByThree(long aAt, long bAt, int depth, long to, long nextAt) {
    int read = 0;
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c01 = zero;
    FloatVector c02 = zero;
    FloatVector c10 = zero;
    FloatVector c11 = zero;
    FloatVector c12 = zero;
    FloatVector c20 = zero;
    FloatVector c21 = zero;
    FloatVector c22 = zero;
    FloatVector c30 = zero;
    FloatVector c31 = zero;
    FloatVector c32 = zero;
    FloatVector c40 = zero;
    FloatVector c41 = zero;
    FloatVector c42 = zero;
    FloatVector c50 = zero;
    FloatVector c51 = zero;
    FloatVector c52 = zero;
    FloatVector c60 = zero;
    FloatVector c61 = zero;
    FloatVector c62 = zero;
    FloatVector c70 = zero;
    FloatVector c71 = zero;
    FloatVector c72 = zero;
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt);
      FloatVector b0 = loadAt(bAt);
      FloatVector b1 = loadAt(bAt + VECTOR);
      FloatVector b2 = loadAt(bAt + 2 * VECTOR);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      c42 = a4.fma(b2, c42);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      c52 = a5.fma(b2, c52);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 6 * Float.BYTES));
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 7 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      c62 = a6.fma(b2, c62);
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
      c72 = a7.fma(b2, c72);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
      nextAt = nextAt + AHEAD_STEP & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c01.intoMemorySegment(MEMORY, to + VECTOR, LITTLE_ENDIAN);
    c02.intoMemorySegment(MEMORY, to + 2 * VECTOR, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c11.intoMemorySegment(MEMORY, to + ROW + VECTOR, LITTLE_ENDIAN);
    c12.intoMemorySegment(MEMORY, to + ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c21.intoMemorySegment(MEMORY, to + 2 * ROW + VECTOR, LITTLE_ENDIAN);
    c22.intoMemorySegment(MEMORY, to + 2 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
    c31.intoMemorySegment(MEMORY, to + 3 * ROW + VECTOR, LITTLE_ENDIAN);
    c32.intoMemorySegment(MEMORY, to + 3 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c40.intoMemorySegment(MEMORY, to + 4 * ROW, LITTLE_ENDIAN);
    c41.intoMemorySegment(MEMORY, to + 4 * ROW + VECTOR, LITTLE_ENDIAN);
    c42.intoMemorySegment(MEMORY, to + 4 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c50.intoMemorySegment(MEMORY, to + 5 * ROW, LITTLE_ENDIAN);
    c51.intoMemorySegment(MEMORY, to + 5 * ROW + VECTOR, LITTLE_ENDIAN);
    c52.intoMemorySegment(MEMORY, to + 5 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c60.intoMemorySegment(MEMORY, to + 6 * ROW, LITTLE_ENDIAN);
    c61.intoMemorySegment(MEMORY, to + 6 * ROW + VECTOR, LITTLE_ENDIAN);
    c62.intoMemorySegment(MEMORY, to + 6 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c70.intoMemorySegment(MEMORY, to + 7 * ROW, LITTLE_ENDIAN);
    c71.intoMemorySegment(MEMORY, to + 7 * ROW + VECTOR, LITTLE_ENDIAN);
    c72.intoMemorySegment(MEMORY, to + 7 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    return read;
  }

  private static int fourByThree(long aAt, long bAt, int depth, long to, long nextAt) {
    int read = 0;
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c01 = zero;
    FloatVector c02 = zero;
    FloatVector c10 = zero;
    FloatVector c11 = zero;
    FloatVector c12 = zero;
    FloatVector c20 = zero;
    FloatVector c21 = zero;
    FloatVector c22 = zero;
    FloatVector c30 = zero;
    FloatVector c31 = zero;
    FloatVector c32 = zero;
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt);
      FloatVector b0 = loadAt(bAt);
      FloatVector b1 = loadAt(bAt + VECTOR);
      FloatVector b2 = loadAt(bAt + 2 * VECTOR);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
      nextAt = nextAt + AHEAD_STEP & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c01.intoMemorySegment(MEMORY, to + VECTOR, LITTLE_ENDIAN);
    c02.intoMemorySegment(MEMORY, to + 2 * VECTOR, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c11.intoMemorySegment(MEMORY, to + ROW + VECTOR, LITTLE_ENDIAN);
    c12.intoMemorySegment(MEMORY, to + ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c21.intoMemorySegment(MEMORY, to + 2 * ROW + VECTOR, LITTLE_ENDIAN);
    c22.intoMemorySegment(MEMORY, to + 2 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
    c31.intoMemorySegment(MEMORY, to + 3 * ROW + VECTOR, LITTLE_ENDIAN);
    c32.intoMemorySegment(MEMORY, to + 3 * ROW + 2 * VECTOR, LITTLE_ENDIAN);
    return read;
  }

  private static int eightByTwo(long aAt, long bAt, int depth, long to, long nextAt) {
    int read = 0;
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c01 = zero;
    FloatVector c10 = zero;
    FloatVector c11 = zero;
    FloatVector c20 = zero;
    FloatVector c21 = zero;
    FloatVector c30 = zero;
    FloatVector c31 = zero;
    FloatVector c40 = zero;
    FloatVector c41 = zero;
    FloatVector c50 = zero;
    FloatVector c51 = zero;
    FloatVector c60 = zero;
    FloatVector c61 = zero;
    FloatVector c70 = zero;
    FloatVector c71 = zero;
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt);
      FloatVector b0 = loadAt(bAt);
      FloatVector b1 = loadAt(bAt + VECTOR);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 6 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 7 * Float.BYTES));
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
      nextAt = nextAt + AHEAD_STEP & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c01.intoMemorySegment(MEMORY, to + VECTOR, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c11.intoMemorySegment(MEMORY, to + ROW + VECTOR, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c21.intoMemorySegment(MEMORY, to + 2 * ROW + VECTOR, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
    c31.intoMemorySegment(MEMORY, to + 3 * ROW + VECTOR, LITTLE_ENDIAN);
    c40.intoMemorySegment(MEMORY, to + 4 * ROW, LITTLE_ENDIAN);
    c41.intoMemorySegment(MEMORY, to + 4 * ROW + VECTOR, LITTLE_ENDIAN);
    c50.intoMemorySegment(MEMORY, to + 5 * ROW, LITTLE_ENDIAN);
    c51.intoMemorySegment(MEMORY, to + 5 * ROW + VECTOR, LITTLE_ENDIAN);
    c60.intoMemorySegment(MEMORY, to + 6 * ROW, LITTLE_ENDIAN);
    c61.intoMemorySegment(MEMORY, to + 6 * ROW + VECTOR, LITTLE_ENDIAN);
    c70.intoMemorySegment(MEMORY, to + 7 * ROW, LITTLE_ENDIAN);
    c71.intoMemorySegment(MEMORY, to + 7 * ROW + VECTOR, LITTLE_ENDIAN);
    return read;
  }

  private static int fourByTwo(long aAt, long bAt, int depth, long to, long nextAt) {
    int read = 0;
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c01 = zero;
    FloatVector c10 = zero;
    FloatVector c11 = zero;
    FloatVector c20 = zero;
    FloatVector c21 = zero;
    FloatVector c30 = zero;
    FloatVector c31 = zero;
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt);
      FloatVector b0 = loadAt(bAt);
      FloatVector b1 = loadAt(bAt + VECTOR);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
      nextAt = nextAt + AHEAD_STEP & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c01.intoMemorySegment(MEMORY, to + VECTOR, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c11.intoMemorySegment(MEMORY, to + ROW + VECTOR, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c21.intoMemorySegment(MEMORY, to + 2 * ROW + VECTOR, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
    c31.intoMemorySegment(MEMORY, to + 3 * ROW + VECTOR, LITTLE_ENDIAN);
    return read;
  }

  private static void eightByOne(long aAt, long bAt, int depth, long to) {
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c10 = zero;
    FloatVector c20 = zero;
    FloatVector c30 = zero;
    FloatVector c40 = zero;
    FloatVector c50 = zero;
    FloatVector c60 = zero;
    FloatVector c70 = zero;
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(bAt);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 6 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 7 * Float.BYTES));
      c70 = a7.fma(b0, c70);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
    c40.intoMemorySegment(MEMORY, to + 4 * ROW, LITTLE_ENDIAN);
    c50.intoMemorySegment(MEMORY, to + 5 * ROW, LITTLE_ENDIAN);
    c60.intoMemorySegment(MEMORY, to + 6 * ROW, LITTLE_ENDIAN);
    c70.intoMemorySegment(MEMORY, to + 7 * ROW, LITTLE_ENDIAN);
  }

  private static void fourByOne(long aAt, long bAt, int depth, long to) {
    FloatVector zero = FloatVector.zero(FLOATS);
    FloatVector c00 = zero;
    FloatVector c10 = zero;
    FloatVector c20 = zero;
    FloatVector c30 = zero;
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(bAt);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt));
      c00 = a0.fma(b0, c00);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + Float.BYTES));
      c10 = a1.fma(b0, c10);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      aAt = aAt + A_STEP & ADDRESSES;
      bAt = bAt + ROW & ADDRESSES;
    }
    c00.intoMemorySegment(MEMORY, to, LITTLE_ENDIAN);
    c10.intoMemorySegment(MEMORY, to + ROW, LITTLE_ENDIAN);
    c20.intoMemorySegment(MEMORY, to + 2 * ROW, LITTLE_ENDIAN);
    c30.intoMemorySegment(MEMORY, to + 3 * ROW, LITTLE_ENDIAN);
  }
}
