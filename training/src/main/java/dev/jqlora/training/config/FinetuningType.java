package dev.jqlora.training.config;

/** What is trained. */
public enum FinetuningType {
  /** Low-rank adapters beside frozen linear layers. */
  LORA,

  /** Every parameter. */
  FULL
}
