package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Decomposition;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.pass.Rewrite;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Kernel choice: an op that the backend has a kernel for stays; another is replaced by its decomposition, whose ops are
 * asked about in turn; one with activations in BF16 by the same in F32 between casts first; a primitive without a kernel is an
 * error that lists all that is missing.
 *
 * @param graph ops with kernels, Repeat and Reshape only
 * @param decomposedNodes nodes that were replaced
 */
public record Lowering(Graph graph, int decomposedNodes) {
  /** An op has neither a kernel nor a decomposition that has. */
  public static final class MissingKernelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Each missing op with its types and the backend's reason. */
    private final ArrayList<String> missing;

    MissingKernelException(Set<String> missing) {
      super("no kernel for " + String.join("; ", missing));
      this.missing = new ArrayList<>(missing);
    }

    public List<String> missing() {
      return List.copyOf(missing);
    }
  }

  public static Lowering lower(Graph graph, Capabilities capabilities) {
    Lowerer lowerer = new Lowerer(capabilities);
    Graph lowered = lowerer.graph(graph);
    if (!lowerer.missing.isEmpty()) {
      throw new MissingKernelException(lowerer.missing);
    }
    return new Lowering(lowered, lowerer.decomposedNodes);
  }

  private static final class Lowerer {
    private final Capabilities capabilities;
    private final Set<String> missing = new LinkedHashSet<>();
    private int decomposedNodes;

    Lowerer(Capabilities capabilities) {
      this.capabilities = capabilities;
    }

    Graph graph(Graph original) {
      return Rewrite.each(LoraFusion.fuse(original, capabilities),
          (builder, node, placed) -> node(builder, node, placed.apply(node.inputs())));
    }

    private List<Value> node(GraphBuilder builder, Node node, List<Value> inputs) {
      if (node.op() instanceof Reshape) {
        return builder.copy(node, inputs);
      }
      if (node.op() instanceof Repeat repeat) {
        Repeat lowered = repeat.withBody(graph(repeat.body()));
        return builder.copy(new Node(lowered, node.inputs(), node.outputs(), node.scope()), inputs);
      }
      switch (capabilities.supports(node)) {
        case Support.Native _ -> {
          return builder.copy(node, inputs);
        }
        case Support.Unsupported(String reason) -> {
          Optional<Graph> parts = Decomposition.of(node);
          if (parts.isPresent()) {
            decomposedNodes++;
            Graph lowered = graph(parts.get());
            return builder.scope(node.label(), () -> builder.inline(lowered, inputs));
          }
          missing.add("%s%s → %s (%s)".formatted(node.label(), node.inputTypes(), node.outputTypes(), reason));
          return builder.copy(node, inputs);
        }
      }
    }
  }
}
