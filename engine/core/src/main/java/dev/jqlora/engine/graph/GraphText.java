package dev.jqlora.engine.graph;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Writes a graph with its values numbered in order of appearance, so that equal graphs have equal texts. */
final class GraphText {
  private final Map<Value, String> names = new HashMap<>();

  private GraphText() {}

  static void write(Graph graph, String indent, StringBuilder text) {
    new GraphText().append(graph, indent, text);
  }

  private void append(Graph graph, String indent, StringBuilder text) {
    text.append(indent).append("in  ").append(list(graph.inputs(), true)).append('\n');
    for (Node node : graph.nodes()) {
      String inputs = list(node.inputs(), false);
      text.append(indent).append(list(node.outputs(), true)).append(" = ").append(node.op()).append('(').append(inputs)
          .append(')');
      if (!node.scope().isEmpty()) {
        text.append("  # ").append(node.scope());
      }
      text.append('\n');
      if (node.op() instanceof Repeat repeat) {
        write(repeat.body(), indent + "  ", text);
      }
    }
    text.append(indent).append("out ").append(list(graph.outputs(), false)).append('\n');
  }

  private String list(List<Value> values, boolean typed) {
    return String.join(", ", values.stream().map(value -> {
      String name = names.computeIfAbsent(value, _ -> "%" + names.size());
      return typed ? name + ":" + value.type() : name;
    }).toList());
  }
}
