package dev.jqlora.llama.safetensors;

import dev.jqlora.engine.tensor.DType;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The element types of the safetensors format, in the order of its reference library (which sorts a file's tensors by
 * it, last first). Most are known only so that such a tensor can be skipped or copied.
 */
public enum StoredType {
  BOOL(8), F4(4), F6_E2M3(6), F6_E3M2(6), U8(8), I8(8), F8_E5M2(8), F8_E4M3(8), F8_E8M0(8), F8_E4M3FNUZ(8), F8_E5M2FNUZ(
      8), I16(16), U16(16), F16(16), BF16(16), I32(32), U32(32), F32(32), C64(64), F64(64), I64(64), U64(64);

  private static final Map<String, StoredType> BY_NAME = Arrays.stream(values()).collect(Collectors.toMap(Enum::name,
      Function.identity()));

  private final int bits;

  StoredType(int bits) {
    this.bits = bits;
  }

  static Optional<StoredType> named(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** Bits of one element; the types below 8 are packed. */
  public int bits() {
    return bits;
  }

  /** The engine's type of the same bytes, where there is one. */
  public Optional<DType> dtype() {
    return switch (this) {
      case F32 -> Optional.of(DType.F32);
      case F16 -> Optional.of(DType.F16);
      case BF16 -> Optional.of(DType.BF16);
      case I32 -> Optional.of(DType.I32);
      case U8 -> Optional.of(DType.U8);
      default -> Optional.empty();
    };
  }

  static StoredType of(DType dtype) {
    return switch (dtype) {
      case F32 -> F32;
      case F16 -> F16;
      case BF16 -> BF16;
      case I32 -> I32;
      case U8 -> U8;
    };
  }
}
