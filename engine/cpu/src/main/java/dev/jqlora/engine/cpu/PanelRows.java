package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.FloatMemory.load;
import static dev.jqlora.engine.cpu.FloatMemory.store;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Takes the columns of a panel {@code [headDim][COLUMNS]} to rows of a tensor. They are transposed by vectors: each number of
 * a column lies in another cache line.
 *
 * @param turned {@code [vector of headDim][COLUMNS][LANES]}
 */
record PanelRows(int headDim, MemorySegment turned, MemorySegment packing) {
  static PanelRows of(ScratchParts parts, int headDim) {
    return new PanelRows(headDim, parts.floats((long) Math.ceilDiv(headDim, LANES) * LANES * GemmTile.COLUMNS),
        parts.floats(Panels.scratch(headDim, GemmTile.COLUMNS)));
  }

  /**
   * Writes the first {@code columns} of a panel.
   *
   * @param panel where it begins in {@code panels}, in floats
   * @param target of which they become the rows from {@code firstRow} on
   */
  void write(MemorySegment panels, long panel, int columns, MatrixSource.Heads target, int firstRow) {
    MemorySegment source = panels.asSlice(panel * Float.BYTES, (long) headDim * GemmTile.COLUMNS * Float.BYTES);
    Panels.pack(MatrixSource.of(source, headDim, GemmTile.COLUMNS), true, 0, headDim, 0, GemmTile.COLUMNS, LANES,
        turned, 0, packing);
    for (int column = 0; column < columns; column++) {
      long to = target.at(firstRow + column);
      for (int i = 0; i < headDim; i += LANES) {
        FloatVector values = load(turned, (long) i * GemmTile.COLUMNS + (long) column * LANES);
        if (i + LANES <= headDim) {
          store(values, target.data(), to + i);
        } else {
          store(values, target.data(), to + i, FloatMemory.tail(headDim - i));
        }
      }
    }
  }
}
