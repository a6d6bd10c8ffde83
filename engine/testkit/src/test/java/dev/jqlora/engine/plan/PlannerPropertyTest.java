package dev.jqlora.engine.plan;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Composite;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.PlanExecutor;
import dev.jqlora.engine.testkit.Samples;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlannerPropertyTest {
  private static final int PROGRAMS = 400;

  /** Every op has a kernel, some of which want scratch memory. */
  private static final Capabilities NATIVE = (op, inputs, _) -> new Support.Native(
      Math.floorMod(op.name().hashCode() + inputs.size(), 3) * 100L);

  /** Only primitives have kernels. */
  private static final Capabilities PRIMITIVE = (op, inputs, outputs) -> op instanceof Composite
      ? new Support.Unsupported("composite")
      : NATIVE.supports(op, inputs, outputs);

  @ParameterizedTest
  @ValueSource(longs = {0, 1_000_000, 2_000_000, 3_000_000, 4_000_000})
  void executedPlanGivesWhatTheInterpreterGives(long firstSeed) {
    for (long seed = firstSeed; seed < firstSeed + PROGRAMS; seed++) {
      Program program = new RandomProgram(seed).build();
      for (Capabilities capabilities : List.of(NATIVE, PRIMITIVE)) {
        try {
          check(program, Planner.plan(program, capabilities), seed);
        } catch (RuntimeException | AssertionError e) {
          throw new AssertionError("seed %d%n%s".formatted(seed, program.graph().dump()), e);
        }
      }
    }
  }

  private static void check(Program program, Plan plan, long seed) {
    assertTrue(0 <= plan.liveBytes() && plan.liveBytes() <= plan.arenaBytes());
    assertEquals(plan.liveBytes(), Alignment.roundDown(plan.liveBytes()));

    Samples samples = new Samples(seed);
    Map<String, Tensor> states = new TreeMap<>();
    bound(program.graph().inputs().stream().map(value -> value.type()).toList(), program.inputs())
        .forEach((binding, type) -> {
          if (binding instanceof Program.State) {
            states.put(binding.name(), samples.uniform(type));
          }
        });
    bound(program.graph().outputs().stream().map(value -> value.type()).toList(), program.outputs())
        .forEach((binding, type) -> {
          if (binding instanceof Program.State) {
            states.putIfAbsent(binding.name(), samples.uniform(type));
          }
        });
    Map<String, Tensor> expectedStates = new HashMap<>();
    states.forEach((name, tensor) -> expectedStates.put(name, copy(tensor)));
    PlanExecutor executor = new PlanExecutor(plan, states);
    for (int run = 0; run < 2; run++) {
      Map<String, Tensor> feeds = new HashMap<>();
      for (int i = 0; i < program.inputs().size(); i++) {
        if (program.inputs().get(i) instanceof Program.Transfer(String name)) {
          TensorType type = program.graph().inputs().get(i).type();
          feeds.put(name, type.dtype().isFloat() ? samples.uniform(type) : samples.indices(type, 1000));
        }
      }
      Map<String, Tensor> expected = interpret(program, plan.program().graph(), expectedStates, feeds);
      Map<String, Tensor> actual = executor.run(feeds);
      assertEquals(expected.keySet(), actual.keySet());
      expected.forEach((name, tensor) -> assertSame(name, tensor, named(actual, name)));
      expectedStates.forEach((name, tensor) -> assertSame(name, tensor, named(states, name)));
    }
  }

  private static Map<Program.Binding, TensorType> bound(List<TensorType> types, List<Program.Binding> bindings) {
    Map<Program.Binding, TensorType> bound = new HashMap<>();
    for (int i = 0; i < types.size(); i++) {
      bound.put(bindings.get(i), types.get(i));
    }
    return bound;
  }

  /** Runs a graph with each value rounded to its element type, as memory does, and writes the states. */
  private static Map<String, Tensor> interpret(Program program, Graph graph, Map<String, Tensor> states,
      Map<String, Tensor> feeds) {
    List<Array64> inputs = new ArrayList<>();
    for (Program.Binding binding : program.inputs()) {
      Map<String, Tensor> source = binding instanceof Program.State ? states : feeds;
      inputs.add(Array64.of(named(source, binding.name())));
    }
    List<Array64> outputs = new Interpreter((_, results) -> results.forEach(PlannerPropertyTest::round)).run(graph,
        inputs);
    Map<String, Tensor> fetches = new HashMap<>();
    for (int i = 0; i < outputs.size(); i++) {
      Tensor tensor = Tensor.allocate(Arena.ofAuto(), outputs.get(i).type());
      outputs.get(i).copyTo(tensor);
      (program.outputs().get(i) instanceof Program.State ? states : fetches).put(program.outputs().get(i).name(),
          tensor);
    }
    return fetches;
  }

  private static void round(Array64 array) {
    for (int i = 0; i < array.data().length; i++) {
      array.data()[i] = (float) array.data()[i];
    }
  }

  private static Tensor copy(Tensor tensor) {
    Tensor copy = Tensor.allocate(Arena.ofAuto(), tensor.type());
    copy.data().copyFrom(tensor.data());
    return copy;
  }

  private static Tensor named(Map<String, Tensor> tensors, String name) {
    return Objects.requireNonNull(tensors.get(name), name);
  }

  private static void assertSame(String name, Tensor expected, Tensor actual) {
    assertEquals(expected.type(), actual.type(), name);
    assertArrayEquals(expected.data().toArray(ValueLayout.JAVA_INT_UNALIGNED),
        actual.data().toArray(ValueLayout.JAVA_INT_UNALIGNED), name);
  }
}
