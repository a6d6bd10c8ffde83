package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a model is given to score a prompt's options: the distinct sequences, and for each option where its likelihood
 * is read. Options of one token share the context as their only sequence.
 *
 * @param sequences token ids
 * @param options in the prompt's order
 * @param cut whether a sequence lost its beginning
 */
record Reading(List<int[]> sequences, List<Option> options, boolean cut) {
  /**
   * Where an option's likelihood is read: row {@code firstRow + i} of its sequence predicts {@code labels[i]}.
   *
   * @param sequence index of its sequence
   */
  record Option(int sequence, int firstRow, int[] labels) {}

  /**
   * Lays a prompt out. Context and continuation without its last token are cut from the left to the window, as
   * lm-evaluation-harness does it.
   *
   * @param window most tokens that the model reads at once
   */
  static Reading of(Prompt prompt, int window) {
    var sequences = new ArrayList<int[]>();
    var options = new ArrayList<Option>();
    boolean cut = false;
    for (int[] continuation : prompt.continuations()) {
      if (continuation.length > window) {
        throw new JqloraException(Kind.DATA, "an option takes " + continuation.length
            + " tokens, but the model reads at most " + window);
      }
      int[] context = prompt.context();
      int[] whole = Arrays.copyOf(context, context.length + continuation.length);
      System.arraycopy(continuation, 0, whole, context.length, continuation.length);
      int end = whole.length - 1;
      int[] sequence = Arrays.copyOfRange(whole, Math.max(0, end - window), end);
      cut |= end > window;
      int index = indexOf(sequences, sequence);
      if (index == sequences.size()) {
        sequences.add(sequence);
      }
      options.add(new Option(index, sequence.length - continuation.length, continuation));
    }
    return new Reading(sequences, options, cut);
  }

  private static int indexOf(List<int[]> sequences, int[] sequence) {
    for (int i = 0; i < sequences.size(); i++) {
      if (Arrays.equals(sequences.get(i), sequence)) {
        return i;
      }
    }
    return sequences.size();
  }

  /** Tokens of all sequences. */
  int tokens() {
    return sequences.stream().mapToInt(sequence -> sequence.length).sum();
  }

  /** Tokens of the longest sequence. */
  int longest() {
    return sequences.stream().mapToInt(sequence -> sequence.length).max().orElse(0);
  }

  /** Rows that are read. */
  int rows() {
    return options.stream().mapToInt(option -> option.labels().length).sum();
  }
}
