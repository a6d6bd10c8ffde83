package dev.jqlora.engine.cpu;

import java.util.Arrays;

/**
 * Copies a part of a matrix into panels, the order in which the matrix product reads it: panel p holds lanes
 * {@code p * width .. p * width + width - 1}, stored as {@code [depth][width]}. Lanes past the matrix's edge are zero.
 * A lane is a row or a column of the matrix, whichever does not run along the summed axis.
 */
final class Panels {
  /** At most so many rows are transposed together: a full cache line is written, and scratch stays in the first cache. */
  private static final int MAX_GROUP = 16;
  /** Keeps the rows of a group out of each other's cache sets. */
  private static final int PADDING = 16;
  private static final int MAX_WIDTH = 64;

  private Panels() {}

  /** Floats of scratch that {@link #pack} needs. */
  static int scratch(int lanes, int depth) {
    return Math.max(MAX_GROUP * (depth + PADDING), lanes + MAX_WIDTH);
  }

  /**
   * @param lanesAreRows whether rows of the matrix become lanes (the summed axis runs along a row), else columns do
   * @param firstLane first row or column taken, {@code lanes} of them
   * @param firstDepth first index taken of the summed axis, {@code depth} of them
   */
  static void pack(MatrixSource source, boolean lanesAreRows, int firstLane, int lanes, int firstDepth, int depth,
      int width, float[] panels, int offset, float[] scratch) {
    int padded = (lanes + width - 1) / width * width;
    if (lanesAreRows) {
      int group = group(width);
      for (int lane = 0; lane < padded; lane += group) {
        int target = offset + lane / width * width * depth + lane % width;
        int present = Math.clamp(lanes - lane, 0, group);
        packRows(source, firstLane + lane, present, group, firstDepth, depth, width, panels, target, scratch);
      }
    } else {
      packColumns(source, firstLane, lanes, padded, firstDepth, depth, width, panels, offset, scratch);
    }
  }

  private static void packRows(MatrixSource source, int firstRow, int rows, int group, int firstDepth, int depth,
      int width, float[] panels, int target, float[] scratch) {
    int stride = depth + PADDING;
    for (int row = 0; row < rows; row++) {
      source.read(firstRow + row, firstDepth, depth, scratch, row * stride);
    }
    for (int row = rows; row < group; row++) {
      Arrays.fill(scratch, row * stride, row * stride + depth, 0f);
    }
    for (int k = 0; k < depth; k++) {
      for (int row = 0; row < group; row++) {
        panels[target + k * width + row] = scratch[row * stride + k];
      }
    }
  }

  private static void packColumns(MatrixSource source, int firstColumn, int columns, int padded, int firstDepth,
      int depth, int width, float[] panels, int offset, float[] scratch) {
    Arrays.fill(scratch, columns, padded, 0f);
    for (int k = 0; k < depth; k++) {
      source.read(firstDepth + k, firstColumn, columns, scratch, 0);
      for (int lane = 0; lane < padded; lane += width) {
        System.arraycopy(scratch, lane, panels, offset + lane * depth + k * width, width);
      }
    }
  }

  /** The greatest divisor of a panel's width that is no more than {@link #MAX_GROUP}. */
  private static int group(int width) {
    int group = Math.min(width, MAX_GROUP);
    while (width % group != 0) {
      group--;
    }
    return group;
  }
}
