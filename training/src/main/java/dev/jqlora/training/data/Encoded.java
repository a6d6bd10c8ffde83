package dev.jqlora.training.data;

import java.util.List;

/**
 * Rows as sequences.
 *
 * @param notices what was dropped or cut, one line each; the caller prints them
 */
record Encoded(List<Example> examples, List<String> notices) {
  Encoded {
    examples = List.copyOf(examples);
    notices = List.copyOf(notices);
  }
}
