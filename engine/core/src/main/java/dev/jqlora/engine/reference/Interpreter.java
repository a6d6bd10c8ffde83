package dev.jqlora.engine.reference;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Primitive;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Decomposition;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiConsumer;

/** Evaluates graphs in float64: primitives directly, others by their {@link Decomposition}, Repeat iteration by iteration. */
public final class Interpreter {
  private final BiConsumer<Node, List<Array64>> hook;

  public Interpreter() {
    this((_, _) -> {
    });
  }

  /** @param hook is shown each node of the top graph, and of bodies, with its outputs */
  public Interpreter(BiConsumer<Node, List<Array64>> hook) {
    this.hook = hook;
  }

  public List<Array64> run(Graph graph, List<Array64> inputs) {
    if (inputs.size() != graph.inputs().size()) {
      throw new IllegalArgumentException("graph has " + graph.inputs().size() + " inputs, got " + inputs.size());
    }
    Map<Value, Array64> values = new HashMap<>();
    for (int i = 0; i < inputs.size(); i++) {
      Value input = graph.inputs().get(i);
      if (!inputs.get(i).type().equals(input.type())) {
        throw new IllegalArgumentException(
            "input " + input.name() + " is " + input.type() + ", got " + inputs.get(i).type());
      }
      values.put(input, inputs.get(i));
    }
    for (Node node : graph.nodes()) {
      List<Array64> arguments = node.inputs().stream().map(values::get).map(Objects::requireNonNull).toList();
      List<Array64> results = evaluate(node, arguments);
      hook.accept(node, results);
      for (int i = 0; i < results.size(); i++) {
        values.put(node.outputs().get(i), results.get(i));
      }
    }
    return graph.outputs().stream().map(values::get).map(Objects::requireNonNull).toList();
  }

  private List<Array64> evaluate(Node node, List<Array64> inputs) {
    if (node.op() instanceof Repeat repeat) {
      return repeat(repeat, inputs);
    }
    if (node.op() instanceof Composite composite) {
      composite.check(inputs);
    }
    Optional<Graph> parts = Decomposition.of(node);
    if (parts.isPresent()) {
      return new Interpreter().run(parts.get(), inputs);
    }
    if (node.op() instanceof Primitive primitive) {
      return primitive.evaluate(inputs, node.outputTypes());
    }
    throw new IllegalStateException(node.label() + " is neither primitive nor composite");
  }

  private List<Array64> repeat(Repeat repeat, List<Array64> inputs) {
    List<Array64> carried = repeat.carriedOf(inputs);
    List<Array64> stackedOutputs = repeat.bodyStackedOutputs().stream()
        .map(value -> Array64.zeros(value.type().withShape(value.type().shape().stacked(repeat.count())))).toList();
    for (int step = 0; step < repeat.count(); step++) {
      int index = repeat.reverse() ? repeat.count() - 1 - step : step;
      List<Array64> arguments = new ArrayList<>();
      arguments.add(new Array64(TensorType.i32(), new double[]{index}));
      arguments.addAll(carried);
      for (Array64 stacked : repeat.stackedOf(inputs)) {
        int size = stacked.data().length / repeat.count();
        arguments.add(new Array64(stacked.type().withShape(stacked.shape().slice()),
            Arrays.copyOfRange(stacked.data(), index * size, (index + 1) * size)));
      }
      arguments.addAll(repeat.sharedOf(inputs));
      List<Array64> results = run(repeat.body(), arguments);
      carried = results.subList(0, repeat.carried());
      for (int i = 0; i < stackedOutputs.size(); i++) {
        double[] slice = results.get(repeat.carried() + i).data();
        System.arraycopy(slice, 0, stackedOutputs.get(i).data(), index * slice.length, slice.length);
      }
    }
    List<Array64> outputs = new ArrayList<>(carried);
    outputs.addAll(stackedOutputs);
    return outputs;
  }
}
