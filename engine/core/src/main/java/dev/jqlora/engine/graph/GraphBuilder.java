package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Appends nodes to a graph, inferring and checking their types as it goes. */
public final class GraphBuilder {
  private final List<Value> inputs = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  /** The values that were made here, by identity: those of another builder have the same ids. */
  private final Set<Value> own = Collections.newSetFromMap(new IdentityHashMap<>());
  private String scope = "";
  private int nextId;

  public Value input(String name, TensorType type) {
    Value value = value(type, name);
    inputs.add(value);
    return value;
  }

  /** Applies an op with one output. */
  public Value apply(Op op, Value... arguments) {
    return applyAll(op, List.of(arguments)).getFirst();
  }

  /** Applies an op and returns all its outputs. */
  public List<Value> applyAll(Op op, List<Value> arguments) {
    return append(op, arguments, scope).outputs();
  }

  /** Appends a node with another's op and scope; returns its outputs. */
  public List<Value> copy(Node node, List<Value> arguments) {
    return append(node.op(), arguments, node.scope()).outputs();
  }

  private Node append(Op op, List<Value> arguments, String nodeScope) {
    arguments.forEach(this::checkOwn);
    List<TensorType> types;
    try {
      types = op.infer(Node.types(arguments));
    } catch (ShapeException e) {
      throw nodeScope.isEmpty() ? e : new ShapeException(nodeScope + ": " + e.getMessage());
    }
    List<Value> outputs = new ArrayList<>();
    for (TensorType type : types) {
      outputs.add(value(type, nodeScope.isEmpty() ? op.name() : nodeScope));
    }
    Node node = new Node(op, arguments, outputs, nodeScope);
    nodes.add(node);
    return node;
  }

  private Value value(TensorType type, String name) {
    Value value = new Value(nextId++, type, name);
    own.add(value);
    return value;
  }

  private void checkOwn(Value value) {
    if (!own.contains(value)) {
      throw new IllegalArgumentException("%s (%s) is a value of another graph".formatted(value, value.name()));
    }
  }

  /** Runs the body with the scope extended by a name. */
  public <T> T scope(String name, Supplier<T> body) {
    String outer = scope;
    scope = outer.isEmpty() ? name : outer + "/" + name;
    try {
      return body.get();
    } finally {
      scope = outer;
    }
  }

  /** Appends a copy of another graph's nodes, with its inputs bound; returns its outputs here. */
  public List<Value> inline(Graph graph, List<Value> arguments) {
    return inline(graph, arguments, new HashMap<>());
  }

  /** {@link #inline(Graph, List)} that also records where each value of the graph went. */
  public List<Value> inline(Graph graph, List<Value> arguments, Map<Value, Value> placed) {
    if (arguments.size() != graph.inputs().size()) {
      throw new IllegalArgumentException(
          "graph has " + graph.inputs().size() + " inputs, got " + arguments.size() + " arguments");
    }
    for (int i = 0; i < arguments.size(); i++) {
      ShapeException.check(arguments.get(i).type().equals(graph.inputs().get(i).type()),
          "input %d (%s) of the graph is %s, got %s", i, graph.inputs().get(i).name(), graph.inputs().get(i).type(),
          arguments.get(i).type());
      placed.put(graph.inputs().get(i), arguments.get(i));
    }
    for (Node node : graph.nodes()) {
      String nodeScope = scope.isEmpty() || node.scope().isEmpty() ? scope + node.scope() : scope + "/" + node.scope();
      Node copy = append(node.op(), map(node.inputs(), placed), nodeScope);
      for (int i = 0; i < node.outputs().size(); i++) {
        placed.put(node.outputs().get(i), copy.outputs().get(i));
      }
    }
    return map(graph.outputs(), placed);
  }

  private static List<Value> map(List<Value> values, Map<Value, Value> placed) {
    return values.stream().map(value -> {
      Value there = placed.get(value);
      if (there == null) {
        throw new IllegalArgumentException(value + " is not defined before its use");
      }
      return there;
    }).toList();
  }

  /** The nodes so far, in order. */
  public List<Node> nodes() {
    return List.copyOf(nodes);
  }

  /**
   * Puts a node with more outputs in the place of one already there: the first outputs stay the same values, the others
   * are new. Autodiff makes a Repeat save what its gradient needs in this way.
   */
  public Node widen(Node node, Op op, List<Value> arguments) {
    arguments.forEach(this::checkOwn);
    int index = nodes.indexOf(node);
    List<TensorType> types = op.infer(Node.types(arguments));
    List<Value> outputs = new ArrayList<>(node.outputs());
    for (TensorType type : types.subList(outputs.size(), types.size())) {
      outputs.add(value(type, node.label()));
    }
    Node wider = new Node(op, arguments, outputs, node.scope());
    nodes.set(index, wider);
    return wider;
  }

  /** The graph of what the outputs depend on: inputs all stay, nodes that nothing uses go. */
  public Graph build(List<Value> outputs) {
    outputs.forEach(this::checkOwn);
    Graph graph = DeadCode.remove(new Graph(inputs, nodes, outputs));
    Verifier.check(graph);
    return graph;
  }
}
