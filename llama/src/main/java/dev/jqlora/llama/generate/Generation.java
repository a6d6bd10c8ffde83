package dev.jqlora.llama.generate;

import java.util.List;

/**
 * What a model wrote.
 *
 * @param ids the new tokens, without the one that ended the text
 * @param end why there are no more
 * @param reusedTokens how many tokens of the prompt were in the cache already
 */
public record Generation(List<Integer> ids, End end, int reusedTokens) {
  public Generation {
    ids = List.copyOf(ids);
  }

  /** Why a generation ended. */
  public enum End {
    /** The model ended its text. */
    STOP,
    /** As many tokens are there as were wanted. */
    LENGTH,
    /** The listener wanted no more. */
    CANCELLED
  }
}
