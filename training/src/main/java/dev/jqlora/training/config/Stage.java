package dev.jqlora.training.config;

/** The training stage. */
public enum Stage {
  /** Next-token prediction on packed plain text (continued pre-training). */
  PT,

  /** Supervised fine-tuning: the loss counts the answers. */
  SFT
}
