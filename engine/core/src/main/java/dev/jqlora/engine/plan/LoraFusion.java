package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4LoraLinear;
import dev.jqlora.engine.op.Nf4LoraLinearGradient;
import dev.jqlora.engine.pass.Rewrite;
import dev.jqlora.engine.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Where the backend has a kernel for it, a product with an NF4 weight and the adapter's beside it become one op, so that the
 * result is read and written once:
 *
 * <pre>
 * LoraLinear(Nf4Linear(x, w), z, a, b)                → Nf4LoraLinear(x, w, z, a, b)
 * Add(MatMul(du, a), Nf4LinearGradient(dy, w))        → Nf4LoraLinearGradient(dy, w, du, a)
 * Add(Add(g, MatMul(du, a)), Nf4LinearGradient(dy, w)) → Nf4LoraLinearGradient(dy, w, du, a, g)
 * </pre>
 *
 * Activations in BF16 are then rounded once, where each of the ops would have rounded what it hands to the next. Only of one
 * graph: bodies of Repeat are left as they are. What lies between must be of no other use.
 */
final class LoraFusion {
  private final Map<Value, Node> makers = new HashMap<>();
  private final Map<Value, Integer> uses = new HashMap<>();

  private LoraFusion(Graph graph) {
    for (Node node : graph.nodes()) {
      node.outputs().forEach(output -> makers.put(output, node));
    }
    Stream.concat(graph.nodes().stream().flatMap(node -> node.inputs().stream()), graph.outputs().stream())
        .forEach(value -> uses.merge(value, 1, Integer::sum));
  }

  static Graph fuse(Graph graph, Capabilities capabilities) {
    LoraFusion fusion = new LoraFusion(graph);
    return Rewrite.each(graph, (builder, node, placed) -> {
      Node made = fusion.fused(node).filter(fused -> capabilities.supports(fused) instanceof Support.Native)
          .orElse(node);
      return builder.copy(made, placed.apply(made.inputs()));
    });
  }

  private Optional<Node> fused(Node node) {
    return switch (node.op()) {
      case LoraLinear lora -> forward(node, lora);
      case Add _ -> inputGradient(node);
      default -> Optional.empty();
    };
  }

  private Optional<Node> forward(Node node, LoraLinear lora) {
    Node base = onlyFor(node.inputs().getFirst());
    if (base == null || !(base.op() instanceof Nf4Linear(var weight))) {
      return Optional.empty();
    }
    // A LoraLinear's x may be of another width than what its base is computed from; the fused op has one for both.
    if (!node.inputs().get(1).type().equals(base.inputs().getFirst().type())) {
      return Optional.empty();
    }
    return instead(node, new Nf4LoraLinear(weight, lora.scale()), base.inputs(), node.inputs().subList(1, 4));
  }

  private Optional<Node> inputGradient(Node node) {
    Node base = onlyFor(node.inputs().get(1));
    Node sum = onlyFor(node.inputs().get(0));
    if (base == null || sum == null || !alike(node) || !(base.op() instanceof Nf4LinearGradient(var weight))) {
      return Optional.empty();
    }
    boolean accumulates = sum.op() instanceof Add;
    Node product = accumulates ? onlyFor(sum.inputs().get(1)) : sum;
    if (product == null || accumulates && !alike(sum) || !multipliesFloat32(product)) {
      return Optional.empty();
    }
    List<Value> adapter = new ArrayList<>(product.inputs());
    if (accumulates) {
      adapter.add(sum.inputs().getFirst());
    }
    return instead(node, new Nf4LoraLinearGradient(weight, accumulates), base.inputs(), adapter);
  }

  /** Whether nothing is repeated: both inputs are like the output. */
  private static boolean alike(Node add) {
    return add.inputTypes().stream().allMatch(add.outputTypes().getFirst()::equals);
  }

  /** The node that made a value which has a single use. */
  private @Nullable Node onlyFor(Value value) {
    return uses.getOrDefault(value, 0) == 1 ? makers.get(value) : null;
  }

  /** Whether it is {@code du · a} of an adapter, which stores both in F32, its result perhaps in BF16. */
  private static boolean multipliesFloat32(Node product) {
    return product.op() instanceof MatMul multiply && multiply.inFloat32().equals(MatMul.NN)
        && product.inputTypes().stream().allMatch(type -> type.dtype() == DType.F32);
  }

  /** The fused op on the NF4 product's inputs and the adapter's. */
  private static Optional<Node> instead(Node node, Op op, List<Value> product, List<Value> adapter) {
    return Optional.of(new Node(op, Stream.concat(product.stream(), adapter.stream()).toList(), node.outputs(),
        node.scope()));
  }
}
