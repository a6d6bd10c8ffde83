package dev.jqlora.training.data;

/** How the rows of a dataset are laid out. */
enum Formatting {
  /** Columns of instruction, input and answer; or of plain text alone. */
  ALPACA,

  /** A list of turns with the roles human and gpt. */
  SHAREGPT,

  /** A list of messages with the roles user and assistant. */
  OPENAI,

  /** Token ids and labels. */
  TOKENIZED
}
