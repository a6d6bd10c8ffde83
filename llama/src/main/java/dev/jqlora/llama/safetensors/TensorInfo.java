package dev.jqlora.llama.safetensors;

import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * What a safetensors header says of one tensor, without its place.
 *
 * @param dims extents, row-major; none for a scalar; 0 is legal
 */
public record TensorInfo(String name, StoredType type, List<Long> dims) {
  public TensorInfo {
    dims = List.copyOf(dims);
    byteSize(type, dims);
  }

  public static TensorInfo of(String name, TensorType type) {
    return new TensorInfo(name, StoredType.of(type.dtype()), type.shape().dims().stream().map(Integer::longValue)
        .toList());
  }

  public long byteSize() {
    return byteSize(type, dims);
  }

  /**
   * Bytes of the data.
   *
   * @throws ArithmeticException where the count of bits is no whole number of bytes or passes 63 bits
   */
  static long byteSize(StoredType type, List<Long> dims) {
    if (dims.contains(0L)) {
      return 0;
    }
    long elements = 1;
    for (long dim : dims) {
      elements = Math.multiplyExact(elements, dim);
    }
    long bits = Math.multiplyExact(elements, type.bits());
    if (bits % 8 != 0) {
      throw new ArithmeticException("%d elements of %d bits are no whole number of bytes".formatted(elements, type
          .bits()));
    }
    return bits / 8;
  }

  @Override
  public String toString() {
    return type + dims.toString();
  }
}
