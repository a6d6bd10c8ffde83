package dev.jqlora.llama.tokenizer;

import java.util.OptionalInt;

/** Text to token ids and back, as a checkpoint's {@code tokenizer.json} says. */
public interface Tokenizer extends AutoCloseable {
  /**
   * The ids of a text without any token that the file's post-processor would add. Special tokens written out in the
   * text (such as {@code <|eot_id|>}) become their ids.
   */
  int[] encode(String text);

  /** {@link #encode} with the beginning-of-text token before it exactly once, where the tokenizer has one. */
  int[] encodeWithBos(String text);

  /** The text of the ids, exactly (no clean-up of spaces). */
  String decode(int[] ids, boolean skipSpecialTokens);

  /** The id of a token given by its literal text, special or not. */
  OptionalInt id(String token);

  /** Number of ids, added tokens included. */
  int vocabSize();

  OptionalInt bosId();

  /** The end-of-text id of {@code tokenizer_config.json}. */
  OptionalInt eosId();

  /** The padding id, where the tokenizer names one. */
  OptionalInt padId();

  @Override
  void close();
}
