package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;

/**
 * A graph with its ties to the world: inputs are states (named memory that outlives a run) or feeds (given to each run);
 * outputs are written to states or fetched.
 *
 * @param inputs one per input of the graph
 * @param outputs one per output of the graph
 */
public record Program(String name, Graph graph, List<Binding> inputs, List<Binding> outputs) {
  public Program {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    if (inputs.size() != graph.inputs().size() || outputs.size() != graph.outputs().size()) {
      throw new IllegalArgumentException(name + ": bindings do not match the graph");
    }
    for (int i = 0; i < outputs.size(); i++) {
      int input = outputs.get(i) instanceof State ? inputs.indexOf(outputs.get(i)) : -1;
      if (input >= 0 && !graph.inputs().get(input).type().equals(graph.outputs().get(i).type())) {
        throw new IllegalArgumentException("%s: state %s is %s but %s is written to it".formatted(name,
            outputs.get(i).name(), graph.inputs().get(input).type(), graph.outputs().get(i).type()));
      }
    }
  }

  /** What an input or output is tied to. */
  public sealed interface Binding {
    String name();
  }

  /** Named memory of the session. */
  public record State(String name) implements Binding {}

  /** A small tensor that the host gives to, or takes from, each run. */
  public record Transfer(String name) implements Binding {}

  /** The same bindings around another graph of the same signature. */
  public Program withGraph(Graph other) {
    return new Program(name, other, inputs, outputs);
  }

  /** Builds a program: declare states and feeds, compute with {@link #graph()}, then declare writes and fetches. */
  public static final class Builder {
    private final String name;
    private final GraphBuilder graph = new GraphBuilder();
    private final List<Binding> inputs = new ArrayList<>();
    private final List<Binding> outputs = new ArrayList<>();
    private final List<Value> outputValues = new ArrayList<>();

    public Builder(String name) {
      this.name = name;
    }

    public GraphBuilder graph() {
      return graph;
    }

    public Value state(String state, TensorType type) {
      return input(new State(state), type);
    }

    public Value feed(String feed, TensorType type) {
      return input(new Transfer(feed), type);
    }

    private Value input(Binding binding, TensorType type) {
      if (inputs.contains(binding)) {
        throw new IllegalArgumentException(name + ": " + binding + " is declared twice");
      }
      inputs.add(binding);
      return graph.input(binding.name(), type);
    }

    public Builder write(String state, Value value) {
      return output(new State(state), value);
    }

    public Builder fetch(String fetch, Value value) {
      return output(new Transfer(fetch), value);
    }

    private Builder output(Binding binding, Value value) {
      if (outputs.contains(binding)) {
        throw new IllegalArgumentException(name + ": " + binding + " is written twice");
      }
      outputs.add(binding);
      outputValues.add(value);
      return this;
    }

    public Program build() {
      return new Program(name, graph.build(outputValues), inputs, outputs);
    }
  }
}
