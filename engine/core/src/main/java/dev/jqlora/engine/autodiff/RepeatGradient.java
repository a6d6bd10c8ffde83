package dev.jqlora.engine.autodiff;

import dev.jqlora.engine.graph.Gradient;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * The gradient of {@link Repeat}: a Repeat in the other direction whose body computes the forward body again from the
 * saved carried values, and then its gradient. That is gradient checkpointing per iteration; the
 * {@link dev.jqlora.engine.graph.SavePolicy} names values that are saved instead of computed again.
 *
 * <pre>
 * forward:   x[0] → body → x[1] → body → … → x[L]              stacks x[0] … x[L-1]
 * backward:  dx[L] → (x[L-1] → body, its gradient) → … → dx[0]  stacks the gradients of the slices
 * </pre>
 */
final class RepeatGradient {
  /** The scope of the casts of carried values. */
  private static final String CARRIED = "carried";

  /** A value that the backward Repeat carries: where it starts, what each iteration makes of it, whose gradient it is. */
  private record Carried(Value input, Value start, Value next, Value target) {}

  private final Repeat repeat;
  private final Gradient gradient;
  private final Map<Value, Value> gradients;
  private final GraphBuilder body = new GraphBuilder();
  /** Stacked inputs of the backward body and the outer values they are slices of. */
  private final Map<Value, Value> stacked = new LinkedHashMap<>();
  /** The slices in which the backward body finds carried values rounded, and those values in the forward body. */
  private final Map<Value, Value> rounded = new HashMap<>();

  private RepeatGradient(Repeat repeat, Gradient gradient, Map<Value, Value> gradients) {
    this.repeat = repeat;
    this.gradient = gradient;
    this.gradients = gradients;
  }

  /**
   * Appends the backward Repeat and enters the gradients of the node's inputs into the map. A gradient that already
   * stands there is added to inside the loop, so that accumulating over micro-batches needs no second copy.
   */
  static void backward(Repeat repeat, Gradient gradient, Map<Value, Value> gradients) {
    new RepeatGradient(repeat, gradient, gradients).build();
  }

  private void build() {
    Set<Value> active = activeInputs();
    int firstSlice = 1 + repeat.carried();
    int firstShared = firstSlice + repeat.stacked();
    List<Value> signature = repeat.body().inputs();

    List<Value> inputs = new ArrayList<>();
    for (int i = 0; i < signature.size(); i++) {
      Value value = signature.get(i);
      boolean carries = i > 0 && i < firstSlice;
      inputs.add(carries && repeat.save().roundsCarried() && value.type().dtype() == DType.F32
          ? unrounded(value)
          : body.input(value.name(), value.type()));
    }
    for (int i = firstSlice; i < firstShared; i++) {
      stacked.put(inputs.get(i), gradient.input(i - 1));
    }
    Map<Value, Value> placed = new HashMap<>();
    List<Value> outputs = body.inline(repeat.body(), inputs, placed);
    int forwardNodes = body.nodes().size();

    // What flows back into the body: from the iteration after it, and into the slices that it stacked.
    Map<Value, Value> seeds = new HashMap<>();
    List<Value> carriedInputs = new ArrayList<>();
    List<Value> carriedStarts = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Value outer = gradient.outputGradients().get(i);
      if (i < repeat.carried() && active.contains(signature.get(1 + i))) {
        Value seed = body.input("gradient", outputs.get(i).type());
        carriedInputs.add(seed);
        carriedStarts.add(outer != null ? outer : zeros(outputs.get(i)));
        seeds.merge(outputs.get(i), seed, this::add);
      } else if (i >= repeat.carried() && outer != null) {
        Value seed = body.input("gradient", outputs.get(i).type());
        stacked.put(seed, outer);
        seeds.merge(outputs.get(i), seed, this::add);
      }
    }

    // The gradients of the inputs; those of shared values are summed over the iterations, in a carried value.
    List<Value> wanted = new ArrayList<>();
    Map<Value, Value> accumulated = new HashMap<>();
    for (int i = 1; i < inputs.size(); i++) {
      if (!active.contains(signature.get(i))) {
        continue;
      }
      Value input = inputs.get(i);
      wanted.add(input);
      if (i >= firstSlice) {
        Value sum = gradients.remove(gradient.input(i - 1));
        if (i >= firstShared || sum != null) {
          Value start = body.input("gradient", input.type());
          accumulated.put(input, start);
          if (i < firstShared) {
            stacked.put(start, Objects.requireNonNull(sum));
          } else {
            carriedInputs.add(start);
            carriedStarts.add(sum != null ? sum : zeros(input));
          }
        }
      }
    }
    List<Value> results = Autodiff.gradients(body, seeds, wanted, accumulated);

    List<Carried> carried = new ArrayList<>();
    List<Value> stackedResults = new ArrayList<>();
    List<Value> stackedTargets = new ArrayList<>();
    for (int i = 0; i < wanted.size(); i++) {
      int position = inputs.indexOf(wanted.get(i));
      Value target = gradient.input(position - 1);
      if (position >= firstSlice && position < firstShared) {
        stackedResults.add(results.get(i));
        stackedTargets.add(target);
      } else {
        int next = carried.size();
        carried.add(new Carried(carriedInputs.get(next), carriedStarts.get(next), results.get(i), target));
      }
    }
    append(inputs, placed, forwardNodes, carried, stackedResults, stackedTargets);
  }

  /** Puts the backward Repeat together, makes the forward one save what it reads, and enters the gradients. */
  private void append(List<Value> inputs, Map<Value, Value> placed, int forwardNodes, List<Carried> carried,
      List<Value> stackedResults, List<Value> stackedTargets) {
    List<Value> outputs = new ArrayList<>();
    carried.forEach(value -> outputs.add(value.next()));
    outputs.addAll(stackedResults);
    List<Node> nodes = withoutSaved(forwardNodes, outputs, Set.copyOf(placed.values()));
    Set<Value> read = read(nodes, outputs);

    Map<Value, Value> shared = new LinkedHashMap<>();
    for (int i = 1 + repeat.carried() + repeat.stacked(); i < inputs.size(); i++) {
      shared.put(inputs.get(i), gradient.input(i - 1));
    }
    Set<Value> known = new HashSet<>(stacked.keySet());
    known.add(inputs.getFirst());
    known.addAll(shared.keySet());
    carried.forEach(value -> known.add(value.input()));
    nodes.forEach(node -> known.addAll(node.outputs()));
    List<Value> saved = read.stream().filter(value -> !known.contains(value)).toList();
    List<Value> outside = save(saved, placed);
    for (int i = 0; i < saved.size(); i++) {
      stacked.put(saved.get(i), outside.get(i));
    }
    stacked.keySet().retainAll(read);
    shared.keySet().retainAll(read);

    List<Value> signature = new ArrayList<>();
    List<Value> arguments = new ArrayList<>();
    signature.add(inputs.getFirst());
    for (Carried value : carried) {
      signature.add(value.input());
      arguments.add(value.start());
    }
    signature.addAll(stacked.keySet());
    arguments.addAll(stacked.values());
    signature.addAll(shared.keySet());
    arguments.addAll(shared.values());
    Repeat backward = new Repeat(repeat.count(), new Graph(signature, nodes, outputs), carried.size(),
        stacked.size(),
        !repeat.reverse(), repeat.save());
    List<Value> results = gradient.builder().applyAll(backward, arguments);
    for (int i = 0; i < carried.size(); i++) {
      enter(carried.get(i).target(), results.get(i));
    }
    for (int i = 0; i < stackedTargets.size(); i++) {
      enter(stackedTargets.get(i), results.get(carried.size() + i));
    }
  }

  /**
   * The body's nodes without the forward ones whose outputs are saved, and without those that nothing reads. A Repeat in
   * the body that its own gradient has made stack more is computed again: the forward body knows nothing of the more.
   */
  private List<Node> withoutSaved(int forwardNodes, List<Value> outputs, Set<Value> forward) {
    List<Node> kept = new ArrayList<>();
    List<Node> all = recomputing(forwardNodes);
    Set<Value> read = new HashSet<>(outputs);
    for (int i = all.size() - 1; i >= 0; i--) {
      Node node = all.get(i);
      boolean saved = i < forwardNodes && repeat.save().saves(node) && forward.containsAll(node.outputs());
      if (!saved && node.outputs().stream().anyMatch(read::contains)) {
        kept.add(node);
        read.addAll(node.inputs());
      }
    }
    return kept.reversed();
  }

  /**
   * The body's nodes, where the gradient reads cheap values of the forward part with a second computation of them right
   * before: else they would wait in memory from the forward part to there.
   */
  private List<Node> recomputing(int forwardNodes) {
    List<Node> forward = body.nodes().subList(0, forwardNodes);
    List<Node> backward = body.nodes().subList(forwardNodes, body.nodes().size());
    Map<Value, Node> cheap = new HashMap<>();
    forward.stream().filter(node -> node.op().cheap() && !repeat.save().saves(node))
        .forEach(node -> node.outputs().forEach(output -> cheap.put(output, node)));
    Map<Value, Value> again = new HashMap<>();
    List<Node> nodes = new ArrayList<>(forward);
    for (Node node : backward) {
      List<Value> inputs = again(node, cheap, again, nodes);
      nodes.add(new Node(node.op(), inputs, node.outputs(), node.scope()));
    }
    return nodes;
  }

  /** A node's inputs, the cheap ones computed again by nodes that are added. */
  private List<Value> again(Node node, Map<Value, Node> cheap, Map<Value, Value> again, List<Node> nodes) {
    for (Value input : node.inputs()) {
      Node producer = cheap.get(input);
      if (producer != null && !again.containsKey(input)) {
        List<Value> outputs = body.copy(producer, again(producer, cheap, again, nodes));
        nodes.add(body.nodes().getLast());
        for (int i = 0; i < outputs.size(); i++) {
          again.put(producer.outputs().get(i), outputs.get(i));
        }
      }
    }
    return node.inputs().stream().map(input -> again.getOrDefault(input, input)).toList();
  }

  private static Set<Value> read(List<Node> nodes, List<Value> outputs) {
    Set<Value> read = new LinkedHashSet<>();
    nodes.forEach(node -> read.addAll(node.inputs()));
    read.addAll(outputs);
    return read;
  }

  /** A carried value as the backward body sees it, cast from the BF16 slice in which it was saved. */
  private Value unrounded(Value carried) {
    Value slice = body.input(carried.name(), new TensorType(DType.BF16, carried.type().shape()));
    rounded.put(slice, carried);
    return body.scope(CARRIED, () -> body.apply(new Cast(DType.F32), slice));
  }

  /** Makes the forward Repeat stack values of its body; returns, for each, the stacked value outside. */
  private List<Value> save(List<Value> values, Map<Value, Value> placed) {
    Map<Value, Value> forward = new HashMap<>();
    placed.forEach((from, to) -> forward.put(to, from));
    GraphBuilder saving = new GraphBuilder();
    List<Value> signature = repeat.body().inputs().stream().map(value -> saving.input(value.name(), value.type()))
        .toList();
    // Rounded before the rest runs: the body may overwrite a carried value.
    Map<Value, Value> casts = new HashMap<>();
    values.stream().filter(rounded::containsKey).forEach(slice -> {
      Value carried = signature.get(repeat.body().inputs().indexOf(rounded.get(slice)));
      casts.put(slice, saving.scope(CARRIED, () -> saving.apply(new Cast(DType.BF16), carried)));
    });
    Map<Value, Value> copied = new HashMap<>();
    List<Value> outputs = new ArrayList<>(saving.inline(repeat.body(), signature, copied));
    values.forEach(value -> outputs.add(Objects.requireNonNull(casts.getOrDefault(value, copied.get(forward.get(
        value))))));
    Node node = gradient.node();
    Node wider = gradient.builder().widen(node, repeat.withBody(saving.build(outputs)), node.inputs());
    return wider.outputs().subList(node.outputs().size(), wider.outputs().size());
  }

  /** The body's inputs that depend on a wanted value, in the first iteration or by way of a carried value in a later one. */
  private Set<Value> activeInputs() {
    List<Value> signature = repeat.body().inputs();
    Set<Value> active = new HashSet<>();
    for (int i = 1; i < signature.size(); i++) {
      if (gradient.needs(i - 1)) {
        active.add(signature.get(i));
      }
    }
    int before;
    do {
      before = active.size();
      Set<Value> reached = Autodiff.active(repeat.body().nodes(), List.copyOf(active));
      for (int i = 0; i < repeat.carried(); i++) {
        if (reached.contains(repeat.bodyNextCarried().get(i))) {
          active.add(repeat.bodyCarried().get(i));
        }
      }
    } while (active.size() > before);
    return active;
  }

  private void enter(Value target, Value result) {
    gradients.merge(target, result, (sum, more) -> gradient.builder().apply(new Add(), sum, more));
  }

  private Value add(Value sum, Value more) {
    return body.apply(new Add(), sum, more);
  }

  private Value zeros(Value like) {
    return gradient.builder().apply(new Fill(like.type(), 0));
  }
}
