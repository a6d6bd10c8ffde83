package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.TensorType;
import java.util.LinkedHashMap;
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
  /** What memory of the arena is for. */
  public enum Kind {
    /** What the host gives. */
    FEED,
    /** What a loop hands from iteration to iteration, or gathers from all of them. */
    CARRY,
    /** What lives only within an iteration. */
    BODY,
    /** What a kernel works with. */
    SCRATCH,
    /** All other values. */
    VALUE
  }

  /** Bytes of the arena by name, as they are placed: rounded up to the alignment. */
  public record Row(String name, Kind kind, long bytes) {}

  /** The states that the program reads or writes. */
  public Map<String, TensorType> states() {
    Map<String, TensorType> states = new LinkedHashMap<>();
    add(program.inputs(), program.graph().inputs(), states);
    add(program.outputs(), program.graph().outputs(), states);
    return states;
  }

  private static void add(List<Program.Binding> bindings, List<Value> values, Map<String, TensorType> states) {
    for (int i = 0; i < bindings.size(); i++) {
      if (bindings.get(i) instanceof Program.State(String name)) {
        states.put(name, values.get(i).type());
      }
    }
  }

  /** Bytes of the arena that no value has when it is fullest: what the placement loses. */
  public long gapBytes() {
    return arenaBytes - peak.stream().mapToLong(Row::bytes).sum();
  }
}
