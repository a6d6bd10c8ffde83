package dev.jqlora.engine.autodiff;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Differentiable;
import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Decomposition;
import dev.jqlora.engine.op.Fill;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reverse-mode differentiation. Walks the nodes backwards, asking each op for its gradient; paths on which nothing is
 * wanted (all that hangs on frozen weights alone) are never entered.
 */
public final class Autodiff {
  private final GraphBuilder builder;
  private final Set<Value> active;
  private final Map<Value, Value> gradients = new HashMap<>();

  private Autodiff(GraphBuilder builder, Set<Value> active) {
    this.builder = builder;
    this.active = active;
  }

  /**
   * Appends the gradients of a scalar to its graph.
   *
   * @param loss a scalar
   * @param wanted the values to differentiate by
   * @param accumulated for some of them, which no node computes, a value of the same type that their gradient is added
   *     to
   * @return one gradient per wanted value, zeros where the loss does not depend on it
   */
  public static List<Value> gradients(GraphBuilder builder, Value loss, List<Value> wanted,
      Map<Value, Value> accumulated) {
    if (loss.type().shape().rank() != 0) {
      throw new IllegalArgumentException("the loss must be a scalar, got " + loss.type());
    }
    Value one = builder.apply(new Fill(loss.type(), 1));
    return gradients(builder, Map.of(loss, one), wanted, accumulated);
  }

  /** The same for any set of outputs whose gradients are given. */
  public static List<Value> gradients(GraphBuilder builder, Map<Value, Value> seeds, List<Value> wanted,
      Map<Value, Value> accumulated) {
    List<Node> forward = builder.nodes();
    accumulated.forEach((value, sum) -> checkAccumulated(forward, value, sum));
    Autodiff pass = new Autodiff(builder, active(forward, wanted));
    pass.gradients.putAll(accumulated);
    seeds.forEach(pass::accumulate);
    for (Node node : forward.reversed()) {
      if (node.outputs().stream().anyMatch(pass.gradients::containsKey)
          && !Collections.disjoint(node.inputs(), pass.active)) {
        pass.backward(node);
      }
    }
    List<Value> result = new ArrayList<>();
    for (Value value : wanted) {
      Value gradient = pass.gradients.get(value);
      result.add(gradient == null ? builder.apply(new Fill(value.type(), 0)) : gradient);
    }
    return result;
  }

  /** What a computed value's sum begins with would flow on to what it is computed from. */
  private static void checkAccumulated(List<Node> forward, Value value, Value sum) {
    if (!sum.type().equals(value.type())) {
      throw new IllegalArgumentException("the gradient by %s, %s, cannot be added to %s".formatted(value.name(),
          value.type(), sum.type()));
    }
    for (Node node : forward) {
      if (node.outputs().contains(value)) {
        throw new IllegalArgumentException("the gradient by %s cannot be accumulated: %s computes it".formatted(value,
            node.label()));
      }
    }
  }

  /** The values that depend on a wanted one. */
  static Set<Value> active(List<Node> nodes, List<Value> wanted) {
    Set<Value> active = new HashSet<>(wanted);
    for (Node node : nodes) {
      if (!Collections.disjoint(node.inputs(), active)) {
        node.outputs().stream().filter(output -> output.type().dtype().isFloat()).forEach(active::add);
      }
    }
    return active;
  }

  private void backward(Node node) {
    List<@Nullable Value> outputGradients = new ArrayList<>();
    node.outputs().forEach(output -> outputGradients.add(gradients.get(output)));
    List<Boolean> needs = node.inputs().stream().map(active::contains).toList();
    Gradient gradient = new Gradient(builder, node, outputGradients, needs);
    builder.scope(node.scope().isEmpty() ? "gradient" : node.scope() + "/gradient", () -> {
      switch (node.op()) {
        case Repeat repeat -> RepeatGradient.backward(repeat, gradient, gradients);
        case Differentiable op -> add(node, op.gradient(gradient));
        case Composite op -> add(node, throughDecomposition(op, gradient));
        default -> throw new IllegalStateException(node.label() + " has no gradient");
      }
      return node;
    });
  }

  private void add(Node node, List<@Nullable Value> contributions) {
    for (int i = 0; i < contributions.size(); i++) {
      Value contribution = contributions.get(i);
      Value input = node.inputs().get(i);
      if (contribution != null && active.contains(input)) {
        if (!contribution.type().equals(input.type())) {
          throw new IllegalStateException("%s: the gradient by input %d is %s but the input is %s; train it in %s"
              .formatted(node.label(), i, contribution.type(), input.type(), contribution.type().dtype()));
        }
        accumulate(input, contribution);
      }
    }
  }

  private void accumulate(Value value, Value contribution) {
    gradients.merge(value, contribution, (sum, more) -> builder.apply(new Add(), sum, more));
  }

  private static List<@Nullable Value> throughDecomposition(Composite op, Gradient gradient) {
    GraphBuilder builder = gradient.builder();
    List<Value> inputs = gradient.node().inputs();
    // A decomposition differentiates by its own copies of the inputs: one input given twice must count twice.
    GraphBuilder inner = new GraphBuilder();
    List<Value> arguments = inputs.stream().map(input -> inner.input(input.name(), input.type())).toList();
    List<Value> outputs = Decomposition.append(op, inner, arguments).orElseThrow();
    Map<Value, Value> seeds = new HashMap<>();
    List<Value> innerSeeds = new ArrayList<>();
    List<Value> outerSeeds = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Value outer = gradient.outputGradients().get(i);
      if (outer != null) {
        Value seed = inner.input("gradient", outer.type());
        innerSeeds.add(seed);
        outerSeeds.add(outer);
        seeds.merge(outputs.get(i), seed, (a, b) -> inner.apply(new Add(), a, b));
      }
    }
    List<Value> wanted = new ArrayList<>();
    for (int i = 0; i < arguments.size(); i++) {
      if (gradient.needs(i)) {
        wanted.add(arguments.get(i));
      }
    }
    List<Value> results = gradients(inner, seeds, wanted, Map.of());
    List<Value> bound = new ArrayList<>(inputs);
    bound.addAll(outerSeeds);
    List<Value> inlined = builder.inline(inner.build(results), bound);
    @Nullable
    Value[] contributions = new @Nullable Value[inputs.size()];
    for (int i = 0, next = 0; i < contributions.length; i++) {
      contributions[i] = gradient.needs(i) ? inlined.get(next++) : null;
    }
    return Arrays.asList(contributions);
  }
}
