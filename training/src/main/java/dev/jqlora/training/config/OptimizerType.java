package dev.jqlora.training.config;

/** The optimizers. */
public enum OptimizerType {
  /** AdamW with float32 states, as torch computes it. */
  ADAMW_TORCH,

  /** AdamW with blockwise 8-bit states. */
  ADAMW_8BIT,

  /** The 8-bit AdamW, its states in pages that may leave the device. */
  PAGED_ADAMW_8BIT,

  /** AdamW with float32 states in such pages, as bitsandbytes computes it. */
  PAGED_ADAMW_32BIT;

  /** Whether its states live in pages. */
  public boolean isPaged() {
    return this == PAGED_ADAMW_8BIT || this == PAGED_ADAMW_32BIT;
  }
}
