package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.MEMORY;
import static dev.jqlora.engine.cpu.FloatMemory.address;
import static dev.jqlora.engine.cpu.FloatMemory.loadAt;
import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * The innermost part of the matrix product: a tile of C from one panel of A and one of B, all of it in registers.
 *
 * <p>The tile is {@link #ROWS} rows by three vectors. With 32 registers that is 8 rows, 24 accumulators: each step of
 * the sum loads 3 vectors and 8 broadcast numbers for 24 fused multiply-adds, so arithmetic and not loading sets the
 * pace. With 16 registers it is 4 rows, 12 accumulators. Where only one or two vectors of columns remain, narrower kernels
 * finish. The accumulators are local variables written out one by one because an array of vectors would live
 * in memory; and nothing but a load is a helper method, because the compiler inlines only so much into one method. A method
 * half as long again stayed with the quick compiler in a whole run, which ran out of registers, at a tenth of the speed.
 *
 * <p>Memory is read by address (see {@link FloatMemory}), which is a number that the loop does not change and a constant times
 * k. So a step checks nothing. While bounds were checked within it, it had 76 instructions and went at 67 to 91 % of the roof
 * (AMD Zen 5). With checks before the loop it had 48, and 93 to 95 %; but the compiler then kept the number that is read
 * ahead in a vector register, with two more instructions for the units that multiply, which on an Intel Xeon (2023) are two:
 * 92 %. By address it has 52, of which four only move a number between registers, and all 24 multiply-adds in a row: 100 %.
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
  private static final long B_STEP = (long) LANES * Float.BYTES;
  private static final long AHEAD_STEP = (long) AHEAD * Float.BYTES;
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);

  private GemmTile() {}

  /** The product alone: {@link #add} to a tile of zeros. */
  static void multiply(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth,
      int columns, float[] tile, int tileOffset) {
    Arrays.fill(tile, tileOffset, tileOffset + SIZE, 0f);
    add(a, aOffset, b, bOffset, bStride, depth, columns, 1, tile, tileOffset, aOffset);
  }

  /**
   * Adds to {@code [ROWS][COLUMNS]} of {@code tile} alpha times the product of {@code a[depth][ROWS]} transposed and
   * {@code b[COLUMNS / LANES][depth][LANES]}. Vectors of columns beyond {@code columns} are left as they are.
   *
   * <p>Meanwhile memory of A that is needed next is brought into the cache. Java has no instruction to prefetch, so a
   * number is read in each step of the sum. Spread over the steps that costs nothing, whereas a tile that begins with
   * memory from the outer caches waits for it.
   *
   * @param bStride floats from one of b's vectors of columns to the next: {@code depth * LANES}, or more where only a run of
   *     a longer sum is taken
   * @param next where that memory begins in {@code a}, in floats: {@code depth *} {@link #AHEAD} of them
   * @return a sum of what was read; the caller keeps it, or the compiler would leave the reading out
   */
  static int add(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth, int columns,
      float alpha, float[] tile, int tileOffset, long next) {
    boolean tall = ROWS == 8;
    if (columns > 2 * LANES) {
      return tall
          ? eightByThree(a, aOffset, b, bOffset, bStride, depth, tile, tileOffset, alpha, next)
          : fourByThree(a, aOffset, b, bOffset, bStride, depth, tile, tileOffset, alpha, next);
    }
    if (columns > LANES) {
      if (tall) {
        eightByTwo(a, aOffset, b, bOffset, bStride, depth, tile, tileOffset, alpha);
      } else {
        fourByTwo(a, aOffset, b, bOffset, bStride, depth, tile, tileOffset, alpha);
      }
    } else if (tall) {
      eightByOne(a, aOffset, b, bOffset, depth, tile, tileOffset, alpha);
    } else {
      fourByOne(a, aOffset, b, bOffset, depth, tile, tileOffset, alpha);
    }
    return 0;
  }

  private static int eightByThree(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth,
      float[] tile, int tileOffset, float alpha, long next) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    long b1At = address(b, bOffset + bStride, (long) depth * LANES);
    long b2At = address(b, bOffset + 2 * bStride, (long) depth * LANES);
    long nextAt = address(a, next, (long) depth * AHEAD);
    int read = 0;
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = FloatVector.zero(FLOATS);
    FloatVector c02 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c11 = FloatVector.zero(FLOATS);
    FloatVector c12 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c21 = FloatVector.zero(FLOATS);
    FloatVector c22 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    FloatVector c31 = FloatVector.zero(FLOATS);
    FloatVector c32 = FloatVector.zero(FLOATS);
    FloatVector c40 = FloatVector.zero(FLOATS);
    FloatVector c41 = FloatVector.zero(FLOATS);
    FloatVector c42 = FloatVector.zero(FLOATS);
    FloatVector c50 = FloatVector.zero(FLOATS);
    FloatVector c51 = FloatVector.zero(FLOATS);
    FloatVector c52 = FloatVector.zero(FLOATS);
    FloatVector c60 = FloatVector.zero(FLOATS);
    FloatVector c61 = FloatVector.zero(FLOATS);
    FloatVector c62 = FloatVector.zero(FLOATS);
    FloatVector c70 = FloatVector.zero(FLOATS);
    FloatVector c71 = FloatVector.zero(FLOATS);
    FloatVector c72 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt + k * AHEAD_STEP);
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector b1 = loadAt(b1At + k * B_STEP);
      FloatVector b2 = loadAt(b2At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      c42 = a4.fma(b2, c42);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      c52 = a5.fma(b2, c52);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 6 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      c62 = a6.fma(b2, c62);
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 7 * Float.BYTES));
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
      c72 = a7.fma(b2, c72);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c01.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c02.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c11.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c12.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c21.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c22.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c31.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c32.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c40.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c41.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c42.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c50.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c51.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c52.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c60.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c61.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c62.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c70.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c71.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c72.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    return read;
  }

  private static int fourByThree(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth,
      float[] tile, int tileOffset, float alpha, long next) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    long b1At = address(b, bOffset + bStride, (long) depth * LANES);
    long b2At = address(b, bOffset + 2 * bStride, (long) depth * LANES);
    long nextAt = address(a, next, (long) depth * AHEAD);
    int read = 0;
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = FloatVector.zero(FLOATS);
    FloatVector c02 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c11 = FloatVector.zero(FLOATS);
    FloatVector c12 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c21 = FloatVector.zero(FLOATS);
    FloatVector c22 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    FloatVector c31 = FloatVector.zero(FLOATS);
    FloatVector c32 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      read += MEMORY.get(I32, nextAt + k * AHEAD_STEP);
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector b1 = loadAt(b1At + k * B_STEP);
      FloatVector b2 = loadAt(b2At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      c02 = a0.fma(b2, c02);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      c12 = a1.fma(b2, c12);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      c22 = a2.fma(b2, c22);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      c32 = a3.fma(b2, c32);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c01.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c02.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c11.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c12.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c21.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c22.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c31.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    c32.fma(factor, FloatVector.fromArray(FLOATS, tile, at + 2 * LANES)).intoArray(tile, at + 2 * LANES);
    return read;
  }

  private static void eightByTwo(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth,
      float[] tile,
      int tileOffset, float alpha) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    long b1At = address(b, bOffset + bStride, (long) depth * LANES);
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c11 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c21 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    FloatVector c31 = FloatVector.zero(FLOATS);
    FloatVector c40 = FloatVector.zero(FLOATS);
    FloatVector c41 = FloatVector.zero(FLOATS);
    FloatVector c50 = FloatVector.zero(FLOATS);
    FloatVector c51 = FloatVector.zero(FLOATS);
    FloatVector c60 = FloatVector.zero(FLOATS);
    FloatVector c61 = FloatVector.zero(FLOATS);
    FloatVector c70 = FloatVector.zero(FLOATS);
    FloatVector c71 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector b1 = loadAt(b1At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      c41 = a4.fma(b1, c41);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      c51 = a5.fma(b1, c51);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 6 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      c61 = a6.fma(b1, c61);
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 7 * Float.BYTES));
      c70 = a7.fma(b0, c70);
      c71 = a7.fma(b1, c71);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c01.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c11.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c21.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c31.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c40.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c41.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c50.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c51.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c60.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c61.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c70.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c71.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
  }

  private static void fourByTwo(MemorySegment a, long aOffset, MemorySegment b, long bOffset, long bStride, int depth,
      float[] tile,
      int tileOffset, float alpha) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    long b1At = address(b, bOffset + bStride, (long) depth * LANES);
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c01 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c11 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c21 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    FloatVector c31 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector b1 = loadAt(b1At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      c01 = a0.fma(b1, c01);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      c11 = a1.fma(b1, c11);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      c21 = a2.fma(b1, c21);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      c31 = a3.fma(b1, c31);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c01.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c11.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c21.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    c31.fma(factor, FloatVector.fromArray(FLOATS, tile, at + LANES)).intoArray(tile, at + LANES);
  }

  private static void eightByOne(MemorySegment a, long aOffset, MemorySegment b, long bOffset, int depth, float[] tile,
      int tileOffset, float alpha) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    FloatVector c40 = FloatVector.zero(FLOATS);
    FloatVector c50 = FloatVector.zero(FLOATS);
    FloatVector c60 = FloatVector.zero(FLOATS);
    FloatVector c70 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
      FloatVector a4 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 4 * Float.BYTES));
      c40 = a4.fma(b0, c40);
      FloatVector a5 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 5 * Float.BYTES));
      c50 = a5.fma(b0, c50);
      FloatVector a6 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 6 * Float.BYTES));
      c60 = a6.fma(b0, c60);
      FloatVector a7 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 7 * Float.BYTES));
      c70 = a7.fma(b0, c70);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c40.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c50.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c60.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c70.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
  }

  private static void fourByOne(MemorySegment a, long aOffset, MemorySegment b, long bOffset, int depth, float[] tile,
      int tileOffset, float alpha) {
    long aAt = address(a, aOffset, (long) depth * ROWS);
    long b0At = address(b, bOffset, (long) depth * LANES);
    FloatVector c00 = FloatVector.zero(FLOATS);
    FloatVector c10 = FloatVector.zero(FLOATS);
    FloatVector c20 = FloatVector.zero(FLOATS);
    FloatVector c30 = FloatVector.zero(FLOATS);
    for (int k = 0; k < depth; k++) {
      FloatVector b0 = loadAt(b0At + k * B_STEP);
      FloatVector a0 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP));
      c00 = a0.fma(b0, c00);
      FloatVector a1 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + Float.BYTES));
      c10 = a1.fma(b0, c10);
      FloatVector a2 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 2 * Float.BYTES));
      c20 = a2.fma(b0, c20);
      FloatVector a3 = FloatVector.broadcast(FLOATS, MEMORY.get(F32, aAt + k * A_STEP + 3 * Float.BYTES));
      c30 = a3.fma(b0, c30);
    }
    FloatVector factor = FloatVector.broadcast(FLOATS, alpha);
    int at = tileOffset;
    c00.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c10.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c20.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
    at += COLUMNS;
    c30.fma(factor, FloatVector.fromArray(FLOATS, tile, at)).intoArray(tile, at);
  }
}
