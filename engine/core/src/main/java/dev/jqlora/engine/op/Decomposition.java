package dev.jqlora.engine.op;

import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Value;
import java.util.List;
import java.util.Optional;

/** An op in simpler ones: with activations in BF16 itself in F32 between casts, else what a {@link Composite} says. */
public final class Decomposition {
  private Decomposition() {}

  /** A node's op as a graph over the node's inputs; empty for a primitive. */
  public static Optional<Graph> of(Node node) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> inputs = node.inputs().stream().map(value -> builder.input(value.name(), value.type())).toList();
    return append(node.op(), builder, inputs).map(builder::build);
  }

  /** Appends an op in simpler ones and returns its outputs; empty for a primitive. */
  public static Optional<List<Value>> append(Op op, GraphBuilder builder, List<Value> inputs) {
    if (op instanceof MixedPrecision mixed && mixed.storesBf16(Node.types(inputs))) {
      return Optional.of(mixed.betweenCasts(builder, inputs));
    }
    return op instanceof Composite composite ? Optional.of(composite.decompose(builder, inputs)) : Optional.empty();
  }
}
