package dev.jqlora.bench;

import java.util.List;

/**
 * A line of the set.
 *
 * @param name what is measured, with its extents
 * @param roof what bounds it
 */
record Row(String name, Roof roof, List<Goal> goals, Opening opening) {
  /** Makes a row ready; only then does it take memory. */
  @FunctionalInterface
  interface Opening {
    Setup open(Workbench bench);
  }
}
