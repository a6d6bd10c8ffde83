package dev.jqlora.engine.tensor;

import java.util.Locale;

/** Element type and shape: everything about a tensor that is known before a run. */
public record TensorType(DType dtype, Shape shape) {
  public static TensorType f32(int... dims) {
    return new TensorType(DType.F32, Shape.of(dims));
  }

  public static TensorType i32(int... dims) {
    return new TensorType(DType.I32, Shape.of(dims));
  }

  public static TensorType u8(int... dims) {
    return new TensorType(DType.U8, Shape.of(dims));
  }

  public long elements() {
    return shape.elements();
  }

  public long bytes() {
    return Math.multiplyExact(shape.elements(), dtype.bytes());
  }

  /** What a tensor takes of memory in which each begins at the {@link Alignment}. */
  public long alignedBytes() {
    return Alignment.roundUp(bytes());
  }

  public TensorType withShape(Shape other) {
    return new TensorType(dtype, other);
  }

  @Override
  public String toString() {
    return dtype.name().toLowerCase(Locale.ROOT) + shape;
  }
}
