package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** One case in a session of its own, run in each way that memory can be laid out around an op. */
public final class CaseRun {
  private static final byte GUARD = 0x5a;
  /** Odd, so that what stands behind a guard is off every natural boundary unless a backend aligns it. */
  private static final TensorType GUARD_TYPE = TensorType.u8(61);
  private static final int STACK = 2;
  /** Beyond so many elements a case is there for its size, which the other ways would only make slow. */
  private static final long SMALL = 1_000_000;

  private final Session session;
  private final CaseList.Case sample;
  private final List<Tensor> inputs;
  private final List<TensorType> outputs;
  private int guards;

  /** @param session a fresh one, which the run fills with states */
  public CaseRun(Session session, CaseList.Case sample) {
    this.session = session;
    this.sample = sample;
    inputs = sample.make();
    outputs = sample.op().infer(sample.types());
  }

  /** The case's op as a graph of one node. */
  static Graph graph(CaseList.Case sample) {
    GraphBuilder builder = new GraphBuilder();
    List<Value> values = new ArrayList<>();
    for (int i = 0; i < sample.types().size(); i++) {
      values.add(builder.input("input " + i, sample.types().get(i)));
    }
    return builder.build(builder.applyAll(sample.op(), values));
  }

  /** The results in float64, rounded to their element types. */
  static List<Array64> expected(CaseList.Case sample) {
    List<Array64> results = new Interpreter().run(graph(sample), sample.make().stream().map(Array64::of).toList());
    return results.stream().map(result -> {
      Tensor rounded = Tensor.allocate(Arena.ofAuto(), result.type());
      result.copyTo(rounded);
      return Array64.of(rounded);
    }).toList();
  }

  /** Runs the case in all ways, a large one in one; throws AssertionError unless all agree with the float64 results. */
  public void check(CaseList cases) {
    List<Tensor> results = throughStates();
    List<Array64> expected = expected(sample);
    for (int i = 0; i < expected.size(); i++) {
      cases.tolerance(expected.get(i).type().dtype()).check("output " + i, expected.get(i),
          Array64.of(results.get(i)));
    }
    if (inputs.stream().anyMatch(input -> input.type().elements() > SMALL)) {
      return;
    }
    List<List<Tensor>> fed = throughTransfers();
    requireSame(results, fed.getFirst(), "with inputs fed and outputs fetched");
    List<List<Tensor>> slices = stacked();
    for (int i = 0; i < STACK; i++) {
      requireSame(fed.get(i + 1), slices.get(i), "on slice %d of a Repeat, unlike run %d with inputs fed".formatted(i,
          i + 2));
    }
    new LinkedHashSet<>(List.of(overwritten(false), overwritten(true))).forEach(inputOf -> inPlace(results, inputOf));
  }

  /** Plans the case as a program and returns the plan. */
  public Plan plan() {
    return session.compile(transfers()).plan();
  }

  /** Runs the case in one way and returns its outputs, which outlive the session. */
  public List<Tensor> results() {
    return throughStates();
  }

  /** Inputs and outputs in states, with guards between. */
  private List<Tensor> throughStates() {
    Program.Builder program = new Program.Builder("states");
    List<Value> arguments = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      arguments.add(state(program, "input " + i, inputs.get(i)));
    }
    List<Value> values = program.graph().applyAll(sample.op(), arguments);
    for (int i = 0; i < outputs.size(); i++) {
      allocate("output " + i, outputs.get(i));
      program.write("output " + i, values.get(i));
    }
    session.compile(program.build()).run(Map.of());
    for (int i = 0; i < inputs.size(); i++) {
      requireSame("input " + i + " of the program", inputs.get(i), read("input " + i, inputs.get(i).type()));
    }
    checkGuards();
    List<Tensor> results = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      results.add(read("output " + i, outputs.get(i)));
    }
    return results;
  }

  /** Inputs fed and outputs fetched, so that all lies in the arena, with guards that live through the run. */
  private Program transfers() {
    Program.Builder program = new Program.Builder("transfers");
    List<Value> arguments = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      arguments.add(program.feed("input " + i, inputs.get(i).type()));
    }
    List<Value> values = program.graph().applyAll(sample.op(), arguments);
    for (int i = 0; i < outputs.size(); i++) {
      program.fetch("output " + i, values.get(i));
      program.fetch("guard " + i, program.feed("guard " + i, GUARD_TYPE));
    }
    return program.build();
  }

  /**
   * The results of the case's inputs, then of each of its variants. So what a run leaves behind must not matter, nor may
   * a backend that keeps what it did in one run, or in two, do the same once more with the inputs of that time.
   */
  private List<List<Tensor>> throughTransfers() {
    Executable executable = session.compile(transfers());
    List<List<Tensor>> results = new ArrayList<>();
    for (int variant = 0; variant <= STACK; variant++) {
      List<Tensor> given = sample.make(variant);
      Map<String, Tensor> feeds = new HashMap<>();
      for (int i = 0; i < given.size(); i++) {
        feeds.put("input " + i, given.get(i));
      }
      for (int i = 0; i < outputs.size(); i++) {
        feeds.put("guard " + i, guard());
      }
      Map<String, Tensor> fetches = executable.run(feeds);
      List<Tensor> fetched = new ArrayList<>();
      for (int i = 0; i < outputs.size(); i++) {
        requireSame("guard " + i, guard(), named(fetches, "guard " + i));
        fetched.add(named(fetches, "output " + i).copy());
      }
      results.add(fetched);
    }
    return results;
  }

  /**
   * The results of the op in a Repeat over stacked states, whose slice i holds variant i + 1 of the inputs. The last
   * slice is computed first, so that what writes too far shows in it.
   */
  private List<List<Tensor>> stacked() {
    Graph one = graph(sample);
    GraphBuilder body = new GraphBuilder();
    List<Value> bodyInputs = new ArrayList<>(List.of(body.input("index", TensorType.i32())));
    one.inputs().forEach(input -> bodyInputs.add(body.input(input.name(), input.type())));
    List<Value> bodyOutputs = body.inline(one, bodyInputs.subList(1, bodyInputs.size()));
    Repeat repeat = new Repeat(STACK, body.build(bodyOutputs), 0, inputs.size(), true, SavePolicy.NOTHING);
    Program.Builder program = new Program.Builder("slices");
    List<Value> arguments = new ArrayList<>();
    List<List<Tensor>> variants = IntStream.rangeClosed(1, STACK).mapToObj(sample::make).toList();
    for (int i = 0; i < inputs.size(); i++) {
      int input = i;
      arguments
          .add(state(program, "stacked input " + i, stack(variants.stream().map(each -> each.get(input)).toList())));
    }
    List<Value> values = program.graph().applyAll(repeat, arguments);
    for (int i = 0; i < outputs.size(); i++) {
      allocate("stacked output " + i, values.get(i).type());
      program.write("stacked output " + i, values.get(i));
    }
    session.compile(program.build()).run(Map.of());
    checkGuards();
    List<Tensor> stacks = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      stacks.add(read("stacked output " + i, values.get(i).type()));
    }
    return IntStream.range(0, STACK).mapToObj(index -> IntStream.range(0, outputs.size())
        .mapToObj(i -> slice(stacks.get(i), outputs.get(i), index)).toList()).toList();
  }

  /**
   * An input for each output that may be written over one.
   *
   * @param fromTheLast whether the last input that the op allows is taken, or the first
   */
  private Map<Integer, Integer> overwritten(boolean fromTheLast) {
    Map<Integer, Integer> inputOf = new HashMap<>();
    Set<Integer> taken = new HashSet<>();
    for (int output = 0; output < outputs.size(); output++) {
      for (int i = 0; i < inputs.size(); i++) {
        int input = fromTheLast ? inputs.size() - 1 - i : i;
        if (sample.op().inPlace(input, output) && inputs.get(input).type().equals(outputs.get(output))
            && !inputOf.containsKey(output) && taken.add(input)) {
          inputOf.put(output, input);
        }
      }
    }
    return inputOf;
  }

  /** Outputs written to the states of inputs. */
  private void inPlace(List<Tensor> expected, Map<Integer, Integer> inputOf) {
    if (inputOf.isEmpty()) {
      return;
    }
    Program.Builder program = new Program.Builder("in place");
    List<Value> arguments = new ArrayList<>();
    List<String> names = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      names.add("own input %d of %s".formatted(i, inputOf));
      arguments.add(state(program, names.get(i), inputs.get(i)));
    }
    List<Value> values = program.graph().applyAll(sample.op(), arguments);
    inputOf.forEach((output, input) -> program.write(names.get(input), values.get(output)));
    session.compile(program.build()).run(Map.of());
    checkGuards();
    inputOf.forEach((output, input) -> requireSame("output %d in place of input %d".formatted(output, input),
        expected.get(output), read(names.get(input), outputs.get(output))));
  }

  private Value state(Program.Builder program, String name, Tensor content) {
    allocate(name, content.type());
    session.write(name, 0, content.data());
    return program.state(name, content.type());
  }

  private void allocate(String name, TensorType type) {
    session.allocate(name, type);
    String guard = "guard " + guards++;
    session.allocate(guard, GUARD_TYPE);
    session.write(guard, 0, guard().data());
  }

  private void checkGuards() {
    for (int i = 0; i < guards; i++) {
      requireSame("guard " + i, guard(), read("guard " + i, GUARD_TYPE));
    }
  }

  private static Tensor guard() {
    byte[] bytes = new byte[(int) GUARD_TYPE.bytes()];
    Arrays.fill(bytes, GUARD);
    return Tensor.of(GUARD_TYPE, bytes);
  }

  private Tensor read(String state, TensorType type) {
    Tensor tensor = Tensor.allocate(Arena.ofAuto(), type);
    session.read(state, 0, tensor.data());
    return tensor;
  }

  private static Tensor stack(List<Tensor> tensors) {
    TensorType type = tensors.getFirst().type();
    Tensor stack = Tensor.allocate(Arena.ofAuto(), type.withShape(type.shape().stacked(tensors.size())));
    for (int i = 0; i < tensors.size(); i++) {
      MemorySegment.copy(tensors.get(i).data(), 0, stack.data(), i * type.bytes(), type.bytes());
    }
    return stack;
  }

  private static Tensor slice(Tensor stack, TensorType type, int index) {
    return new Tensor(type, stack.data().asSlice(index * type.bytes(), type.bytes()));
  }

  private static Tensor named(Map<String, Tensor> tensors, String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new AssertionError("the run did not return " + name);
    }
    return tensor;
  }

  private static void requireSame(List<Tensor> expected, List<Tensor> actual, String how) {
    for (int i = 0; i < expected.size(); i++) {
      requireSame("output " + i + " " + how, expected.get(i), actual.get(i));
    }
  }

  /** The same bits, but for NaN, of which there are many. */
  private static void requireSame(String what, Tensor expected, Tensor actual) {
    long size = expected.type().dtype().bytes();
    long end = expected.data().byteSize();
    if (!expected.type().equals(actual.type())) {
      throw new AssertionError("%s: %s, was %s before".formatted(what, actual.type(), expected.type()));
    }
    for (long from = 0; from < end;) {
      long mismatch = MemorySegment.mismatch(expected.data(), from, end, actual.data(), from, end);
      if (mismatch < 0) {
        return;
      }
      long element = (from + mismatch) / size;
      if (!Double.isNaN(expected.get(element)) || !Double.isNaN(actual.get(element))) {
        throw new AssertionError("%s: element %d of %s is %s, was %s before".formatted(what, element, expected.type(),
            actual.get(element), expected.get(element)));
      }
      from = (element + 1) * size;
    }
  }
}
