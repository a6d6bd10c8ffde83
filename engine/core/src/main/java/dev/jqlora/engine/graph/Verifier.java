package dev.jqlora.engine.graph;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Says whether a graph is legal: each value defined once and before its uses, each node's types as its op infers them; so too
 * the bodies of Repeat. */
public final class Verifier {
  private Verifier() {}

  /** Throws IllegalStateException naming the first offence. */
  public static void check(Graph graph) {
    Set<Value> defined = new HashSet<>();
    for (Value input : graph.inputs()) {
      require(defined.add(input), "input %s stands twice", input);
    }
    for (Node node : graph.nodes()) {
      for (Value input : node.inputs()) {
        require(defined.contains(input), "%s uses %s before it is defined", node.label(), input);
      }
      for (Value output : node.outputs()) {
        require(defined.add(output), "%s defines %s a second time", node.label(), output);
      }
      List<?> inferred = node.op().infer(node.inputTypes());
      require(inferred.equals(node.outputTypes()), "%s has outputs %s, its op infers %s", node.label(),
          node.outputTypes(), inferred);
      if (node.op() instanceof Repeat repeat) {
        check(repeat.body());
      }
    }
    for (Value output : graph.outputs()) {
      require(defined.contains(output), "output %s is never defined", output);
    }
  }

  private static void require(boolean condition, String format, Object... arguments) {
    if (!condition) {
      throw new IllegalStateException("illegal graph: " + format.formatted(arguments));
    }
  }
}
