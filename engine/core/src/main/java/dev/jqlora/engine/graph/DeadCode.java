package dev.jqlora.engine.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Removes nodes that no output depends on. Inputs stay, since they are the graph's signature. */
final class DeadCode {
  private DeadCode() {}

  static Graph remove(Graph graph) {
    Set<Value> used = new HashSet<>(graph.outputs());
    List<Node> kept = new ArrayList<>();
    for (Node node : graph.nodes().reversed()) {
      if (!Collections.disjoint(node.outputs(), used)) {
        kept.add(node);
        used.addAll(node.inputs());
      }
    }
    return new Graph(graph.inputs(), kept.reversed(), graph.outputs());
  }
}
