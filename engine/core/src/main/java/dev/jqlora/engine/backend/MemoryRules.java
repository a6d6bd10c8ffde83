package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Collection;

/**
 * How a device's memory holds states, programs and pages. Planning and sessions count by these rules, so what a session will
 * hold is known beforehand.
 */
public interface MemoryRules {
  /** Each state and each page aligned, one arena for all programs, one pool for all pages. */
  MemoryRules PLAIN = new MemoryRules() {
  };

  /** A table without pages, with the pools that there are for them. */
  default PageTable pageTable() {
    return new PageTable();
  }

  /**
   * Device memory of all but pages and what programs keep for themselves: the states and the arenas.
   *
   * @param states that are not in pages
   * @param pages those that are
   * @throws dev.jqlora.engine.error.JqloraException of kind MEMORY where the device cannot hold them, however much memory it
   *     has
   */
  default long residentBytes(Collection<TensorType> states, PageTable pages, Collection<Plan> plans) {
    return states.stream().mapToLong(TensorType::alignedBytes).sum()
        + plans.stream().mapToLong(Plan::arenaBytes).max().orElse(0);
  }

  /**
   * Device memory that a compiled program keeps for itself, beside its arena.
   *
   * @param pages the states that are in pages
   */
  default long programBytes(Plan plan, PageTable pages) {
    return 0;
  }
}
