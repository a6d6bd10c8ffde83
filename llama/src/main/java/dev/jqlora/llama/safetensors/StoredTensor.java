package dev.jqlora.llama.safetensors;

import static dev.jqlora.llama.files.FileErrors.quoted;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;

/**
 * A tensor in a mapped file.
 *
 * @param data its bytes, read-only, little-endian, valid until the file is closed; not always aligned to the element
 */
public record StoredTensor(Path file, TensorInfo info, MemorySegment data) {
  public String name() {
    return info.name();
  }

  public StoredType type() {
    return info.type();
  }

  public List<Long> dims() {
    return info.dims();
  }

  /** The bytes as the engine's type; an error where the engine has no such type. */
  public Tensor tensor() {
    DType dtype = type().dtype().orElseThrow(() -> error("is %s; expected F32, F16, BF16, I32 or U8".formatted(info)));
    List<Integer> extents = dims().stream().map(this::extent).toList();
    return new Tensor(new TensorType(dtype, new Shape(extents)), data);
  }

  /** The tensor, which must be of one of the float types and of exactly this shape. */
  public Tensor floats(Shape expected) {
    if (type().dtype().filter(DType::isFloat).isEmpty() || !dims().equals(expected.dims().stream().map(
        Integer::longValue).toList())) {
      throw error("is %s; expected F32, F16 or BF16 of shape %s (does config.json belong to these weights?)".formatted(
          info, expected));
    }
    return tensor();
  }

  /** An error about this tensor that names it and its file. */
  public JqloraException error(String message) {
    return new JqloraException(Kind.MODEL, "%s: tensor %s %s".formatted(file, quoted(name()), message));
  }

  private int extent(long dim) {
    if (dim > Integer.MAX_VALUE) {
      throw error("is %s; expected no extent above %d".formatted(info, Integer.MAX_VALUE));
    }
    return (int) dim;
  }
}
