package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Node;
import java.util.List;

/** What a backend does, one after the other. */
public sealed interface Step {
  /** Runs the kernel of a node. */
  record Launch(Node node, List<Operand> inputs, List<Operand> outputs, Slot scratch, long scratchBytes)
      implements
        Step {}

  /** Copies bytes between places that do not overlap. */
  record Copy(Operand from, Operand to) implements Step {}

  /** Runs steps {@code count} times; before each, the iteration's number is written to {@code index}. */
  record Loop(int count, boolean reverse, int depth, Operand index, List<Step> body) implements Step {}
}
