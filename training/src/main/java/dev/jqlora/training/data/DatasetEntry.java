package dev.jqlora.training.data;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One dataset of dataset_info.json.
 *
 * @param origin where it is described, for messages
 * @param files its files, all of one format
 * @param numSamples rows to draw, or null for all as they are
 */
record DatasetEntry(String name, String origin, List<Path> files, Formatting formatting, Columns columns, Tags tags,
    @Nullable Integer numSamples) {
  /**
   * The names of the columns that are read; null where a column is not used.
   *
   * @param optionalQuery whether the query column may be missing from a row: so where no columns are named
   */
  record Columns(@Nullable String prompt, @Nullable String query, @Nullable String response, @Nullable String history,
      @Nullable String system, @Nullable String messages, @Nullable String inputIds, @Nullable String labels,
      boolean optionalQuery) {}

  /** The names inside a list of turns. */
  record Tags(String role, String content, String user, String assistant, String observation, String function,
      String system) {}
}
