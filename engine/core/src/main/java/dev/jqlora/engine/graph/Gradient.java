package dev.jqlora.engine.graph;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an op's gradient rule is given.
 *
 * @param builder where the gradient's nodes go; the node's inputs and outputs are values of it
 * @param outputGradients one per output of the node; null where nothing depends on that output
 * @param needs one per input: whether its gradient is wanted
 */
public record Gradient(GraphBuilder builder, Node node, List<@Nullable Value> outputGradients, List<Boolean> needs) {
  public Value input(int index) {
    return node.inputs().get(index);
  }

  public Value output(int index) {
    return node.outputs().get(index);
  }

  public boolean needs(int input) {
    return needs.get(input);
  }

  /** The gradient of an output that must have one. */
  public Value of(int output) {
    Value gradient = outputGradients.get(output);
    if (gradient == null) {
      throw new IllegalStateException(node.label() + ": output " + output + " has no gradient");
    }
    return gradient;
  }
}
