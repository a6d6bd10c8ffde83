package dev.jqlora.engine.pass;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Value;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.UnaryOperator;

/** Makes a graph anew with the same inputs, node by node, by a rule that says what comes in the place of each. */
public final class Rewrite {
  /** What comes in the place of a node. */
  @FunctionalInterface
  public interface Rule {
    /**
     * Appends nodes to the new graph.
     *
     * @param placed finds values that the old graph has before this node in the new one
     * @return what stands for the node's outputs, each of the same type
     */
    List<Value> replace(GraphBuilder builder, Node node, UnaryOperator<List<Value>> placed);
  }

  private Rewrite() {}

  /** The graph with what the rule puts in the place of each node, and without what nothing then uses. */
  public static Graph each(Graph graph, Rule rule) {
    GraphBuilder builder = new GraphBuilder();
    Map<Value, Value> places = new HashMap<>();
    UnaryOperator<List<Value>> placed = values -> values.stream()
        .map(value -> Objects.requireNonNull(places.get(value)))
        .toList();
    graph.inputs().forEach(input -> places.put(input, builder.input(input.name(), input.type())));
    for (Node node : graph.nodes()) {
      List<Value> outputs = rule.replace(builder, node, placed);
      for (int i = 0; i < outputs.size(); i++) {
        places.put(node.outputs().get(i), outputs.get(i));
      }
    }
    return builder.build(placed.apply(graph.outputs()));
  }
}
