package dev.jqlora.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Bulk conversion of stored numbers to float32. */
public final class FloatReader {
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FloatReader() {}

  /** Copies elements {@code first .. first + count - 1} of an F32, F16 or BF16 tensor into an array. */
  public static void read(Tensor source, long first, float[] target, int offset, int count) {
    MemorySegment data = source.data();
    switch (source.type().dtype()) {
      case F32 -> MemorySegment.copy(data, F32, first * Float.BYTES, target, offset, count);
      case F16 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = Float.float16ToFloat(data.get(I16, (first + i) * Short.BYTES));
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          target[offset + i] = BFloat16.toFloat(data.get(I16, (first + i) * Short.BYTES));
        }
      }
      case I32, U8 -> throw new IllegalArgumentException("not a tensor of real numbers: " + source.type());
    }
  }
}
