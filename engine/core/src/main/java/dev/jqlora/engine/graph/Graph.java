package dev.jqlora.engine.graph;

import java.util.List;

/** A straight-line program in single-assignment form: nodes stand in an order in which they can run. */
public record Graph(List<Value> inputs, List<Node> nodes, List<Value> outputs) {
  public Graph {
    inputs = List.copyOf(inputs);
    nodes = List.copyOf(nodes);
    outputs = List.copyOf(outputs);
  }

  /** A stable text form, one line a node, bodies of Repeat indented: for reading and for comparing in tests. */
  public String dump() {
    StringBuilder text = new StringBuilder();
    GraphText.write(this, "", text);
    return text.toString();
  }
}
