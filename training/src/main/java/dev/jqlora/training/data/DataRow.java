package dev.jqlora.training.data;

import java.util.List;

/** A row of any dataset, in the form that encoding starts from. */
sealed interface DataRow {
  /**
   * Text.
   *
   * @param turns user and assistant in turns, the user first; empty where the row's roles make no conversation
   * @param system the system text, may be empty
   */
  record Conversation(List<String> turns, String system) implements DataRow {
    /** Whether each user turn has its answer. */
    boolean isAnswered() {
      return !turns.isEmpty() && turns.size() % 2 == 0;
    }
  }

  /** Tokens. {@code labels} has the length of {@code inputIds}. */
  record Tokenized(int[] inputIds, int[] labels) implements DataRow {}
}
