package dev.jqlora.engine.graph;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** An op with a gradient rule of its own. A {@link Composite} without one is differentiated through its decomposition. */
public interface Differentiable extends Op {
  /**
   * Appends the nodes of this op's gradient and returns one value per input of the node: the gradient, or null where it
   * is not needed or zero. Only called when an output has a gradient and an input needs one.
   */
  List<@Nullable Value> gradient(Gradient gradient);
}
