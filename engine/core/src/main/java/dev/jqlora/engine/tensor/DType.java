package dev.jqlora.engine.tensor;

/** Element types of a tensor in device memory. Sub-byte formats (NF4) are stored as {@link #U8} codes beside their scales. */
public enum DType {
  F32(4), F16(2), BF16(2), I32(4), U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether the elements are real numbers (and so may have a gradient). */
  public boolean isFloat() {
    return switch (this) {
      case F32, F16, BF16 -> true;
      case I32, U8 -> false;
    };
  }
}
