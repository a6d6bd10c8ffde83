package dev.jqlora.engine.plan;

import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Plans a program: chooses kernels, gives every value a place, and writes down the steps. */
public final class Planner {
  private final Capabilities capabilities;

  private Planner(Capabilities capabilities) {
    this.capabilities = capabilities;
  }

  public static Plan plan(Program program, Capabilities capabilities) {
    return new Planner(capabilities).plan(program);
  }

  private Plan plan(Program original) {
    Lowering lowering = Lowering.lower(original.graph(), capabilities);
    Program program = original.withGraph(lowering.graph());
    Graph graph = program.graph();

    Set<Value> feeds = new HashSet<>();
    Map<String, Value> stateInputs = new HashMap<>();
    for (int i = 0; i < graph.inputs().size(); i++) {
      switch (program.inputs().get(i)) {
        case Program.State(String name) -> stateInputs.put(name, graph.inputs().get(i));
        case Program.Transfer _ -> feeds.add(graph.inputs().get(i));
      }
    }
    List<Frame.Wish> wishes = new ArrayList<>();
    for (Program.Binding output : program.outputs()) {
      wishes.add(output instanceof Program.State(String name)
          ? new Frame.Wish(true, stateInputs.get(name))
          : Frame.Wish.INSIDE);
    }
    Frame frame = new Frame(graph, feeds, wishes, graph.outputs().size(), capabilities);

    Map<Value, Slot> inputSlots = new HashMap<>();
    stateInputs.forEach((name, value) -> inputSlots.put(value, Slot.state(name)));
    List<Slot> outputSlots = new ArrayList<>();
    for (Program.Binding output : program.outputs()) {
      outputSlots.add(output instanceof Program.State(String name) ? Slot.state(name) : Slot.arena(0));
    }
    Emission emission = new Emission(frame, Slot.arena(0), inputSlots, outputSlots, 0);
    List<Step> steps = emission.nodes();

    Map<String, Operand> feedPlaces = new LinkedHashMap<>();
    for (int i = 0; i < graph.inputs().size(); i++) {
      if (program.inputs().get(i) instanceof Program.Transfer(String name)) {
        feedPlaces.put(name, emission.operand(graph.inputs().get(i)));
      }
    }
    Map<String, Operand> fetchPlaces = new LinkedHashMap<>();
    steps.addAll(emission.keeping());
    for (int i = 0; i < graph.outputs().size(); i++) {
      Operand from = emission.result(i);
      switch (program.outputs().get(i)) {
        case Program.Transfer(String name) -> fetchPlaces.put(name, from);
        case Program.State(String name) -> addCopy(steps, from, Slot.state(name));
      }
    }
    return new Plan(program, frame.bytes, frame.liveBytes, feedPlaces, fetchPlaces, steps, rows(frame), lowering);
  }

  private static void addCopy(List<Step> steps, Operand from, Slot to) {
    if (!from.slot().equals(to)) {
      steps.add(new Step.Copy(from, new Operand(from.type(), to)));
    }
  }

  private static List<Plan.Row> rows(Frame frame) {
    record Name(String text, Plan.Kind kind) {}
    Map<Name, Long> sums = new LinkedHashMap<>();
    frame.peak().forEach(row -> sums.merge(new Name(row.name(), row.kind()), row.bytes(), Long::sum));
    return sums.entrySet().stream()
        .map(entry -> new Plan.Row(entry.getKey().text(), entry.getKey().kind(), entry.getValue()))
        .sorted(Comparator.comparingLong(Plan.Row::bytes).reversed().thenComparing(Plan.Row::name)).toList();
  }

  /** Writes down the steps of one graph, once it is known where its frame, its inputs and its outputs lie. */
  private static final class Emission {
    private final Frame frame;
    private final Slot base;
    private final Map<Value, Slot> inputs;
    private final List<Slot> outputs;
    private final int depth;

    Emission(Frame frame, Slot base, Map<Value, Slot> inputs, List<Slot> outputs, int depth) {
      this.frame = frame;
      this.base = base;
      this.inputs = inputs;
      this.outputs = outputs;
      this.depth = depth;
    }

    Slot slot(Value value) {
      Value root = frame.root(value);
      Slot input = inputs.get(root);
      if (input != null) {
        return input;
      }
      Integer outside = frame.outside.get(root);
      if (outside != null) {
        return outputs.get(outside);
      }
      Placement.Buffer buffer = frame.places.get(root);
      if (buffer == null) {
        throw new IllegalStateException(value + " has no place");
      }
      return inFrame(buffer);
    }

    Operand operand(Value value) {
      return new Operand(value.type(), slot(value));
    }

    /** Where an output of the graph is found after the steps of {@link #keeping()}. */
    Operand result(int output) {
      Value value = frame.graph.outputs().get(output);
      Placement.Buffer kept = frame.kept.get(output);
      return kept == null ? operand(value) : new Operand(value.type(), inFrame(kept));
    }

    /** Copies inputs that outputs hand on out of the way of what is copied over them. */
    List<Step> keeping() {
      List<Step> steps = new ArrayList<>();
      frame.kept.keySet().stream().sorted().forEach(output -> {
        Operand to = result(output);
        addCopy(steps, operand(frame.graph.outputs().get(output)), to.slot());
      });
      return steps;
    }

    private List<Operand> operands(List<Value> values) {
      return values.stream().map(this::operand).toList();
    }

    private Slot inFrame(Placement.Buffer buffer) {
      return new Slot(base.state(), base.offset() + buffer.offset, base.strides());
    }

    List<Step> nodes() {
      List<Step> steps = new ArrayList<>();
      for (Node node : frame.graph.nodes()) {
        if (node.op() instanceof Repeat repeat) {
          loop(node, repeat, steps);
        } else if (!(node.op() instanceof Reshape)) {
          Placement.Buffer scratch = frame.scratch.get(node);
          steps.add(new Step.Launch(node, operands(node.inputs()), operands(node.outputs()),
              scratch == null ? base : inFrame(scratch), scratch == null ? 0 : scratch.bytes));
        }
      }
      return steps;
    }

    private void loop(Node node, Repeat repeat, List<Step> steps) {
      Emission body = body(node, repeat);
      for (int i = 0; i < repeat.carried(); i++) {
        addCopy(steps, operand(node.inputs().get(i)), body.outputs.get(i));
      }
      Operand index = body.operand(repeat.body().inputs().getFirst());
      steps.add(new Step.Loop(repeat.count(), repeat.reverse(), depth, index, body.iteration(repeat.carried())));
    }

    /** A loop's body, whose carried values lie where the loop's outputs do, and whose slices lie in what is stacked. */
    private Emission body(Node node, Repeat repeat) {
      Map<Value, Slot> bodyInputs = new HashMap<>();
      List<Slot> bodyOutputs = new ArrayList<>();
      for (int i = 0; i < repeat.carried(); i++) {
        Slot carried = slot(node.outputs().get(i));
        bodyInputs.put(repeat.bodyCarried().get(i), carried);
        bodyOutputs.add(carried);
      }
      List<Value> stacked = repeat.stackedOf(node.inputs());
      for (int i = 0; i < stacked.size(); i++) {
        Value slice = repeat.bodySlices().get(i);
        bodyInputs.put(slice, slices(stacked.get(i), slice.type()));
      }
      List<Value> shared = repeat.sharedOf(node.inputs());
      for (int i = 0; i < shared.size(); i++) {
        bodyInputs.put(repeat.bodyShared().get(i), slot(shared.get(i)));
      }
      for (int i = repeat.carried(); i < node.outputs().size(); i++) {
        bodyOutputs.add(slices(node.outputs().get(i), repeat.body().outputs().get(i).type()));
      }
      Slot bodyBase = inFrame(Objects.requireNonNull(frame.scratch.get(node)));
      return new Emission(Objects.requireNonNull(frame.children.get(node)), bodyBase, bodyInputs, bodyOutputs,
          depth + 1);
    }

    /** An iteration of a loop whose body this is: what hands an input on to a stacked output goes before all else. */
    private List<Step> iteration(int carried) {
      List<Step> steps = stackedCopies(carried, true);
      steps.addAll(nodes());
      steps.addAll(stackedCopies(carried, false));
      steps.addAll(keeping());
      for (int i = 0; i < carried; i++) {
        addCopy(steps, result(i), outputs.get(i));
      }
      return steps;
    }

    private List<Step> stackedCopies(int carried, boolean ofInputs) {
      List<Step> steps = new ArrayList<>();
      for (int i = carried; i < outputs.size(); i++) {
        Value value = frame.graph.outputs().get(i);
        if (inputs.containsKey(frame.root(value)) == ofInputs) {
          addCopy(steps, operand(value), outputs.get(i));
        }
      }
      return steps;
    }

    private Slot slices(Value stacked, TensorType slice) {
      return slot(stacked).slices(depth, slice.bytes());
    }
  }
}
