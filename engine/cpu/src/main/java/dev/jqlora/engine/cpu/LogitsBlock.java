package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;

/** Blocks of rows whose logits fit into a bounded scratch memory. */
final class LogitsBlock {
  /** Most bytes of logits at a time: with Llama 3's vocabulary, 256 rows. */
  private static final long BYTES = 1L << 27;

  private LogitsBlock() {}

  /** Rows of x whose logits are computed at a time. */
  static int rows(TensorType x, TensorType w) {
    long fit = BYTES / Float.BYTES / Math.max(1, w.shape().dim(0));
    return (int) Math.max(1, Math.min(x.shape().dim(0), fit));
  }

  /** Some rows of F32 memory. */
  static Tensor of(MemorySegment memory, int first, int rows, int width) {
    TensorType type = TensorType.f32(rows, width);
    return new Tensor(type, memory.asSlice((long) first * width * Float.BYTES, type.bytes()));
  }
}
