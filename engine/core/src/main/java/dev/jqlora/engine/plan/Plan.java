package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Program;
import java.util.List;
import java.util.Map;

/**
 * A program with a place for every byte.
 *
 * @param program the lowered program
 * @param arenaBytes size of the memory for all that lives only during a run
 * @param liveBytes the most bytes that are in use at once: no placement can do with less
 * @param feeds where the host puts what it gives to a run
 * @param fetches where it finds the results
 * @param peak what is live when the arena is fullest, largest first
 */
public record Plan(Program program, long arenaBytes, long liveBytes, Map<String, Operand> feeds,
    Map<String, Operand> fetches, List<Step> steps, List<Row> peak, Lowering lowering) {
  /** Bytes of the arena by name. */
  public record Row(String name, long bytes) {}
}
