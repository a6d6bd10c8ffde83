package dev.jqlora.engine.cuda;

import dev.jqlora.engine.tensor.TensorType;

/**
 * Blocks of rows whose logits fit into a bounded scratch memory.
 *
 * @param most bytes of logits at a time; one row's where it takes more
 */
record LogitsBlock(long most) {
  /** With Llama 3's vocabulary, 256 rows. */
  static final LogitsBlock ORDINARY = new LogitsBlock(1L << 27);

  /** Rows of x whose logits are computed at a time. */
  int rows(TensorType x, int vocab) {
    long fit = most / Float.BYTES / Math.max(1, vocab);
    return (int) Math.max(1, Math.min(x.shape().dim(0), fit));
  }

  /** Bytes of their logits. */
  long bytes(TensorType x, int vocab) {
    return (long) rows(x, vocab) * vocab * Float.BYTES;
  }
}
