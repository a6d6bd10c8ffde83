package dev.jqlora.engine.cuda;

import dev.jqlora.engine.tensor.TensorType;

/** Blocks of rows whose logits fit into a bounded scratch memory. */
final class LogitsBlock {
  /** Most bytes of logits at a time: with Llama 3's vocabulary, 256 rows. */
  private static final long BYTES = 1L << 27;

  private LogitsBlock() {}

  /** Rows of x whose logits are computed at a time. */
  static int rows(TensorType x, int vocab) {
    long fit = BYTES / Float.BYTES / Math.max(1, vocab);
    return (int) Math.max(1, Math.min(x.shape().dim(0), fit));
  }

  /** Bytes of their logits. */
  static long bytes(TensorType x, int vocab) {
    return (long) rows(x, vocab) * vocab * Float.BYTES;
  }
}
