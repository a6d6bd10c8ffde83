package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
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

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Copies a part of a matrix into panels, the order in which the matrix product reads it: panel p holds lanes
 * {@code p * width .. p * width + width - 1}, stored as {@code [depth][width]}. Lanes past the matrix's edge are zero.
 * A lane is a row or a column of the matrix, whichever does not run along the summed axis.
 *
 * <p>Where rows become lanes, squares of {@link VectorWidth#LANES} rows and columns are transposed by {@link LaneExchange}s
 * by 1, 2, 4 and so on. Two at a time need four vectors, so a first pass over the decoded rows does 1 and 2, and a second the
 * others on the way to the panels. That packs three times as many numbers a second as moving one at a time. Each pass is one
 * loop over the summed axis: as a method for each square, which is too large for the compiler to take it into the loop, the
 * second made packing take a third longer.
 * The loops' segments and extents are local variables: after a store the compiler reads fields again, and with them checks
 * again what they hold, which took half as long again. Vectors of 512 bits are left to {@link WidePanels}, but for what is
 * no multiple of them.
 */
final class Panels {
  /** Keeps the decoded rows out of each other's cache sets. */
  private static final int PADDING = 16;
  /** Places of the summed axis that {@link #wideColumns(int)} takes at a time. */
  private static final int ROWS_TOGETHER = 16;

  private static final VectorMask<Float> LOWER_HALF = LaneExchange.with(LANES / 2).not();
  private static final VectorMask<Float> UPPER_HALF = LaneExchange.with(LANES / 2);

  private final MatrixSource source;
  private final int firstLane;
  private final int lanes;
  private final int firstDepth;
  private final int depth;
  private final int width;
  private final int padded;
  private final MemorySegment panels;
  private final long offset;
  private final MemorySegment scratch;

  private Panels(MatrixSource source, int firstLane, int lanes, int firstDepth, int depth, int width,
      MemorySegment panels, long offset, MemorySegment scratch) {
    this.source = source;
    this.firstLane = firstLane;
    this.lanes = lanes;
    this.firstDepth = firstDepth;
    this.depth = depth;
    this.width = width;
    this.padded = roundUp(lanes, width);
    this.panels = panels;
    this.offset = offset;
    this.scratch = scratch;
  }

  private static int roundUp(int value, int multiple) {
    return Math.ceilDiv(value, multiple) * multiple;
  }

  /** Floats of scratch that {@link #pack} needs. */
  static int scratch(int lanes, int depth) {
    return Math.max(LANES * stride(depth), roundUp(lanes, LANES) + GemmTile.COLUMNS);
  }

  private static int stride(int depth) {
    return roundUp(depth, LANES) + PADDING;
  }

  /**
   * @param lanesAreRows whether rows of the matrix become lanes (the summed axis runs along a row), else columns do
   * @param firstLane first row or column taken, {@code lanes} of them
   * @param firstDepth first index taken of the summed axis, {@code depth} of them
   * @param width of a panel: whole vectors or, of eight lanes and more, half of one: {@link GemmTile#ROWS} for A,
   *     {@link GemmTile#COLUMNS} for B
   * @param offset where in {@code panels} the first begins, in floats
   */
  static void pack(MatrixSource source, boolean lanesAreRows, int firstLane, int lanes, int firstDepth, int depth,
      int width, MemorySegment panels, long offset, MemorySegment scratch) {
    Panels packing = new Panels(source, firstLane, lanes, firstDepth, depth, width, panels, offset, scratch);
    if (lanesAreRows) {
      packing.rows();
    } else {
      packing.columns();
    }
  }

  private void rows() {
    boolean wide = WidePanels.fits(width) && depth % LANES == 0;
    MemorySegment floats = wide ? source.floats() : null;
    int stride = stride(depth);
    for (int lane = 0; lane < padded; lane += LANES) {
      int present = Math.clamp(lanes - lane, 0, LANES);
      if (floats != null && (present == LANES || present == width)) {
        wideRows(floats, (long) (firstLane + lane) * source.columns() + firstDepth, source.columns(), lane);
        continue;
      }
      for (int row = 0; row < present; row++) {
        source.read(firstLane + lane + row, firstDepth, depth, scratch, (long) row * stride);
      }
      scratch.asSlice((long) present * stride * Float.BYTES, (long) (LANES - present) * stride * Float.BYTES)
          .fill((byte) 0);
      if (wide) {
        wideRows(scratch, 0, stride, lane);
        continue;
      }
      exchangeWithinFour(stride);
      if (width >= LANES) {
        exchangeFours(place(lane), stride);
      } else {
        exchangeFoursHalved(lane, place(lane), stride);
      }
    }
  }

  /**
   * LANES rows by {@link WidePanels}.
   *
   * @param at where the first begins, in floats; the next {@code pitch} behind
   */
  private void wideRows(MemorySegment rows, long at, long pitch, int lane) {
    if (width >= LANES) {
      WidePanels.rowsToWhole(rows, at, pitch, depth, panels, place(lane), width);
      return;
    }
    for (int first = 0; first < LANES && lane + first < padded; first += width) {
      WidePanels.rowsToHalf(rows, at + first * pitch, pitch, depth, panels, place(lane + first), LANES);
    }
  }

  /** The exchanges by 1 and 2, in place. */
  private void exchangeWithinFour(int stride) {
    MemorySegment scratch = this.scratch;
    int depth = this.depth;
    for (int row = 0; row < LANES; row += 4) {
      long at = (long) row * stride;
      for (int k = 0; k < depth; k += LANES) {
        FloatVector v0 = load(scratch, at + k);
        FloatVector v1 = load(scratch, at + stride + k);
        FloatVector v2 = load(scratch, at + 2L * stride + k);
        FloatVector v3 = load(scratch, at + 3L * stride + k);
        FloatVector w0 = v0.blend(v1.rearrange(BY_1), WITH_1);
        FloatVector w1 = v1.blend(v0.rearrange(BY_1), WITHOUT_1);
        FloatVector w2 = v2.blend(v3.rearrange(BY_1), WITH_1);
        FloatVector w3 = v3.blend(v2.rearrange(BY_1), WITHOUT_1);
        store(w0.blend(w2.rearrange(BY_2), WITH_2), scratch, at + k);
        store(w1.blend(w3.rearrange(BY_2), WITH_2), scratch, at + stride + k);
        store(w2.blend(w0.rearrange(BY_2), WITHOUT_2), scratch, at + 2L * stride + k);
        store(w3.blend(w1.rearrange(BY_2), WITHOUT_2), scratch, at + 3L * stride + k);
      }
    }
  }

  /** The exchanges by 4 and 8, where vectors are that wide, from the scratch rows to panels of whole vectors. */
  private void exchangeFours(long place, int stride) {
    MemorySegment scratch = this.scratch;
    MemorySegment panels = this.panels;
    int depth = this.depth;
    int width = this.width;
    for (int k = 0; k < depth; k += LANES) {
      for (int row = 0; row < 4; row++) {
        long at = (long) row * stride + k;
        FloatVector v0 = load(scratch, at);
        if (LANES == 4) {
          put(v0, panels, place, k + row, depth, width);
          continue;
        }
        FloatVector v1 = load(scratch, at + 4L * stride);
        FloatVector w0 = v0.blend(v1.rearrange(BY_4), WITH_4);
        FloatVector w1 = v1.blend(v0.rearrange(BY_4), WITHOUT_4);
        if (LANES == 8) {
          put(w0, panels, place, k + row, depth, width);
          put(w1, panels, place, k + row + 4, depth, width);
          continue;
        }
        FloatVector v2 = load(scratch, at + 8L * stride);
        FloatVector v3 = load(scratch, at + 12L * stride);
        FloatVector w2 = v2.blend(v3.rearrange(BY_4), WITH_4);
        FloatVector w3 = v3.blend(v2.rearrange(BY_4), WITHOUT_4);
        put(w0.blend(w2.rearrange(BY_8), WITH_8), panels, place, k + row, depth, width);
        put(w1.blend(w3.rearrange(BY_8), WITH_8), panels, place, k + row + 4, depth, width);
        put(w2.blend(w0.rearrange(BY_8), WITHOUT_8), panels, place, k + row + 8, depth, width);
        put(w3.blend(w1.rearrange(BY_8), WITHOUT_8), panels, place, k + row + 12, depth, width);
      }
    }
  }

  /**
   * The same to panels half a vector wide, which those of four lanes do not have. Both in one method are more than the
   * compiler takes into it.
   */
  private void exchangeFoursHalved(int lane, long place, int stride) {
    MemorySegment scratch = this.scratch;
    MemorySegment panels = this.panels;
    int depth = this.depth;
    int width = this.width;
    boolean second = lane + width < padded;
    for (int k = 0; k < depth; k += LANES) {
      for (int row = 0; row < 4; row++) {
        long at = (long) row * stride + k;
        FloatVector v0 = load(scratch, at);
        FloatVector v1 = load(scratch, at + 4L * stride);
        FloatVector w0 = v0.blend(v1.rearrange(BY_4), WITH_4);
        FloatVector w1 = v1.blend(v0.rearrange(BY_4), WITHOUT_4);
        if (LANES == 8) {
          putHalves(w0, panels, place, k + row, depth, width, second);
          putHalves(w1, panels, place, k + row + 4, depth, width, second);
          continue;
        }
        FloatVector v2 = load(scratch, at + 8L * stride);
        FloatVector v3 = load(scratch, at + 12L * stride);
        FloatVector w2 = v2.blend(v3.rearrange(BY_4), WITH_4);
        FloatVector w3 = v3.blend(v2.rearrange(BY_4), WITHOUT_4);
        putHalves(w0.blend(w2.rearrange(BY_8), WITH_8), panels, place, k + row, depth, width, second);
        putHalves(w1.blend(w3.rearrange(BY_8), WITH_8), panels, place, k + row + 4, depth, width, second);
        putHalves(w2.blend(w0.rearrange(BY_8), WITHOUT_8), panels, place, k + row + 8, depth, width, second);
        putHalves(w3.blend(w1.rearrange(BY_8), WITHOUT_8), panels, place, k + row + 12, depth, width, second);
      }
    }
  }

  private void columns() {
    int together = (int) Math.min(ROWS_TOGETHER, scratch.byteSize() / Float.BYTES / lanes / 2 * 2);
    if (WidePanels.fits(width) && lanes % LANES == 0 && (width >= LANES || depth % 2 == 0) && together > 0) {
      wideColumns(together);
      return;
    }
    int step = Math.max(width, LANES);
    MemorySegment scratch = this.scratch;
    MemorySegment panels = this.panels;
    int depth = this.depth;
    int width = this.width;
    int padded = this.padded;
    int lanes = this.lanes;
    int firstLane = this.firstLane;
    long end = roundUp(padded, LANES);
    scratch.asSlice((long) lanes * Float.BYTES, (end - lanes) * Float.BYTES).fill((byte) 0);
    for (int k = 0; k < depth; k++) {
      source.read(firstDepth + k, firstLane, lanes, scratch, 0);
      for (int first = 0; first < padded; first += step) {
        long place = offset + (long) first * depth;
        if (width < LANES) {
          putHalves(load(scratch, first), panels, place, k, depth, width, first + width < padded);
          continue;
        }
        for (int lane = 0; lane < width; lane += LANES) {
          put(load(scratch, first + lane), panels, place + lane, k, depth, width);
        }
      }
    }
  }

  /** Columns by {@link WidePanels}, a few places of the summed axis at a time, whose numbers then still are in the cache. */
  private void wideColumns(int together) {
    MatrixSource.WholeColumns whole = width >= LANES ? source.wholeColumns(firstLane) : null;
    MemorySegment floats = source.floats();
    for (int lane = lanes; lane < padded && width >= LANES; lane += LANES) {
      WidePanels.zeros(panels, place(lane), depth, width);
    }
    for (int k = 0; k < depth; k += together) {
      int count = Math.min(together, depth - k);
      if (whole != null) {
        for (int lane = 0; lane < lanes; lane += LANES) {
          whole.copy(firstDepth + k, firstLane + lane, count, panels, place(lane) + (long) k * width, width);
        }
      } else if (floats != null) {
        wideColumns(floats, (long) (firstDepth + k) * source.columns() + firstLane, source.columns(), k, count);
      } else {
        for (int row = 0; row < count; row++) {
          source.read(firstDepth + k + row, firstLane, lanes, scratch, (long) row * lanes);
        }
        wideColumns(scratch, 0, lanes, k, count);
      }
    }
  }

  /** @param at where the numbers of place {@code k} of the summed axis begin, in floats; the next {@code pitch} behind */
  private void wideColumns(MemorySegment rows, long at, long pitch, int k, int count) {
    for (int lane = 0; lane < lanes; lane += LANES) {
      long place = place(lane) + (long) k * width;
      if (width >= LANES) {
        WidePanels.columnsToWhole(rows, at + lane, pitch, count, panels, place, width);
      } else {
        WidePanels.columnsToHalves(rows, at + lane, pitch, count, panels, place, (long) width * depth);
      }
    }
  }

  /** Where in the panels the numbers of LANES lanes begin. A panel is whole vectors wide, or half of one. */
  private long place(int lane) {
    return width >= LANES
        ? offset + (long) (lane / width) * width * depth + lane % width
        : offset + (long) lane * depth;
  }

  /** Stores one number of each of LANES lanes into a panel of whole vectors; nothing where k is past the depth. */
  private static void put(FloatVector values, MemorySegment panels, long place, int k, int depth, int width) {
    if (k < depth) {
      store(values, panels, place + (long) k * width);
    }
  }

  /**
   * The same into panels half a vector wide.
   *
   * @param second whether the panel of the upper half exists
   */
  private static void putHalves(FloatVector values, MemorySegment panels, long place, int k, int depth, int width,
      boolean second) {
    if (k >= depth) {
      return;
    }
    long at = place + (long) k * width;
    store(values, panels, at, LOWER_HALF);
    if (second) {
      store(values, panels, at + (long) width * depth - width, UPPER_HALF);
    }
  }
}
