package dev.jqlora.training.preprocess;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What was made of the raw data.
 *
 * @param splits questions by split; empty where none were made
 * @param duplicates questions of one split that stand in another too
 * @param textbooks null where none were made
 * @param notices one line each, for the user
 * @param written the files, in the order in which they were written
 */
public record PreprocessReport(Map<String, Split> splits, Duplicates duplicates, @Nullable Textbooks textbooks,
    List<String> notices, List<Path> written) {
  /**
   * The questions of a split.
   *
   * @param rows questions written
   * @param rejected rows left out because they contradict themselves
   * @param answers how often each letter is right
   */
  public record Split(Path file, int rows, int rejected, Map<String, Integer> answers) {}

  /** Questions that are equal up to case, spaces and punctuation. Nothing is taken out because of them. */
  public record Duplicates(int testInTrain, int devInTrain, int testInDev) {}

  /**
   * The pre-training text.
   *
   * @param characters of all sections, held out or not
   */
  public record Textbooks(int books, int sections, int heldOut, long characters) {}
}
