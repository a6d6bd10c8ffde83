package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Reshape;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Decides whether an output of a graph may be computed straight into memory that an input of the graph still occupies. */
final class Overlay {
  private final Graph graph;
  private final Map<Value, Value> roots = new HashMap<>();
  private final Map<Value, Integer> producers = new HashMap<>();
  private final int keptOutputs;

  /**
   * @param keptOutputs outputs from this index on are copied away at once where they are inputs, and so keep none of them
   *     alive: the stacked outputs of a body
   */
  Overlay(Graph graph, int keptOutputs) {
    this.graph = graph;
    this.keptOutputs = keptOutputs;
    for (int i = 0; i < graph.nodes().size(); i++) {
      Node node = graph.nodes().get(i);
      for (Value output : node.outputs()) {
        producers.put(output, i);
      }
      if (node.op() instanceof Reshape) {
        roots.put(node.outputs().getFirst(), root(node.inputs().getFirst()));
      }
    }
  }

  /** The value whose memory this one is: itself, unless it is a reshape. */
  Value root(Value value) {
    return roots.getOrDefault(value, value);
  }

  /** Whether the value is computed by the graph, rather than given to it, and is only one of its outputs. */
  boolean isOwn(Value output) {
    Value root = root(output);
    return producers.containsKey(root)
        && graph.outputs().stream().filter(value -> root(value).equals(root)).count() == 1;
  }

  /** Whether {@code output} may be written over {@code input}: nothing reads the input afterwards. */
  boolean mayOverwrite(Value output, Value input) {
    Value target = root(output);
    Integer producer = producers.get(target);
    if (producer == null || !isOwn(output)) {
      return false;
    }
    Set<Value> aliases = new HashSet<>();
    aliases.add(input);
    for (int i = 0; i < graph.nodes().size(); i++) {
      Node node = graph.nodes().get(i);
      boolean alias = node.op() instanceof Reshape;
      for (int use = 0; use < node.inputs().size(); use++) {
        if (!aliases.contains(node.inputs().get(use))) {
          continue;
        }
        if (alias) {
          aliases.addAll(node.outputs());
        } else if (i > producer || i == producer && !inPlace(node.op(), use, node.outputs().indexOf(target))) {
          return false;
        }
      }
    }
    return graph.outputs().subList(0, keptOutputs).stream().noneMatch(aliases::contains);
  }

  /** Whether an op may write an output over an input's memory; Repeat also over what it reads slice by slice. */
  static boolean inPlace(Op op, int input, int output) {
    if (op instanceof Repeat repeat && input >= repeat.carried() && output >= repeat.carried()) {
      int slice = input - repeat.carried();
      return slice < repeat.stacked() && new Overlay(repeat.body(), repeat.carried())
          .mayOverwrite(repeat.body().outputs().get(output), repeat.bodySlices().get(slice));
    }
    return op.inPlace(input, output);
  }
}
