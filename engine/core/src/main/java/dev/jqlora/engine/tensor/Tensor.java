package dev.jqlora.engine.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A typed view of host memory, contiguous, row-major, little-endian, of exactly {@code type.bytes()} bytes. */
public record Tensor(TensorType type, MemorySegment data) {
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;
  private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED;

  public Tensor {
    if (data.byteSize() != type.bytes()) {
      throw new IllegalArgumentException("%s takes %d bytes, not %d".formatted(type, type.bytes(), data.byteSize()));
    }
  }

  /** Zeroed memory, 64-byte aligned. */
  public static Tensor allocate(Arena arena, TensorType type) {
    return new Tensor(type, arena.allocate(type.bytes(), Alignment.BYTES));
  }

  public static Tensor of(TensorType type, float... values) {
    return new Tensor(type, MemorySegment.ofArray(values));
  }

  public static Tensor of(TensorType type, int... values) {
    return new Tensor(type, MemorySegment.ofArray(values));
  }

  public static Tensor of(TensorType type, byte... values) {
    return new Tensor(type, MemorySegment.ofArray(values));
  }

  public static Tensor scalar(float value) {
    return of(TensorType.f32(), value);
  }

  public static Tensor scalar(int value) {
    return of(TensorType.i32(), value);
  }

  /** The same values in memory of their own. */
  public Tensor copy() {
    Tensor copy = allocate(Arena.ofAuto(), type);
    copy.data.copyFrom(data);
    return copy;
  }

  /** The element as a number, whatever its type (U8 as 0..255). */
  public double get(long index) {
    return switch (type.dtype()) {
      case F32 -> data.getAtIndex(F32, index);
      case F16 -> Float.float16ToFloat(data.getAtIndex(I16, index));
      case BF16 -> BFloat16.toFloat(data.getAtIndex(I16, index));
      case I32 -> data.getAtIndex(I32, index);
      case U8 -> Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, index));
    };
  }

  /** Stores a number, rounded to the element type. */
  public void set(long index, double value) {
    switch (type.dtype()) {
      case F32 -> data.setAtIndex(F32, index, (float) value);
      case F16 -> data.setAtIndex(I16, index, Float.floatToFloat16((float) value));
      case BF16 -> data.setAtIndex(I16, index, BFloat16.fromFloat((float) value));
      case I32 -> data.setAtIndex(I32, index, (int) value);
      case U8 -> data.set(ValueLayout.JAVA_BYTE, index, (byte) (int) value);
    }
  }

  public float[] toFloats() {
    float[] values = new float[Math.toIntExact(type.elements())];
    if (type.dtype().isFloat()) {
      FloatReader.read(this, 0, values, 0, values.length);
      return values;
    }
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) get(i);
    }
    return values;
  }
}
