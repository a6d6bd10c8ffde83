package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.FloatReader;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** A row-major matrix in whatever form it is stored, read as runs of float32. */
sealed interface MatrixSource {
  int rows();

  int columns();

  /** Decodes {@code count} values of a row, from a column on. */
  void read(int row, int column, int count, float[] target, int offset);

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

  private static int rows(Shape shape) {
    return shape.rank() == 0 ? 1 : Math.toIntExact(shape.withLast(1).elements());
  }

  /** Numbers as they are, widened to float32. */
  record Plain(Tensor tensor, int rows, int columns) implements MatrixSource {
    @Override
    public void read(int row, int column, int count, float[] target, int offset) {
      FloatReader.read(tensor, (long) row * columns + column, target, offset, count);
    }
  }

  /** NF4 codes, decoded on the way. */
  record Quantized(Nf4Decoder decoder, int rows, int columns) implements MatrixSource {
    @Override
    public void read(int row, int column, int count, float[] target, int offset) {
      decoder.read((long) row * columns + column, count, target, offset);
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
    public void read(int row, int column, int count, float[] target, int offset) {
      FloatMemory.read(data, at(row) + column, target, offset, count);
    }

    /** Where a row begins, in floats. */
    long at(int row) {
      return ((long) (row / group) * heads + firstHead + row % group) * headDim;
    }
  }
}
