package dev.jqlora.engine.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.autodiff.Autodiff;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.op.CacheWrite;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.NullBackend;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** That memory is not only right but small: what a training run counts on. {@link PlannerPropertyTest} shows it right. */
class PlannerTest {
  private static final Capabilities NATIVE = (_, _, _) -> Support.NATIVE;
  private static final int LAYERS = 8;
  private static final int WIDTH = 64;
  private static final long MATRIX = 4L * WIDTH * WIDTH;

  private static List<Step.Copy> copies(List<Step> steps) {
    List<Step.Copy> copies = new ArrayList<>();
    for (Step step : steps) {
      switch (step) {
        case Step.Copy copy -> copies.add(copy);
        case Step.Loop loop -> copies.addAll(copies(loop.body()));
        case Step.Launch _ -> {
        }
      }
    }
    return copies;
  }

  /** {@code h ← h · w[layer]}, and the gradients of Σ h² added to a state. */
  private static Program training(SavePolicy save) {
    Program.Builder program = new Program.Builder("train");
    GraphBuilder builder = program.graph();
    TensorType stacked = TensorType.f32(LAYERS, WIDTH, WIDTH);
    Value x = program.feed("x", TensorType.f32(2, WIDTH));
    Value w = program.state("w", stacked);
    Value sum = program.state("sum", stacked);
    Value h = Repeat.apply(builder, LAYERS, save, List.of(x), List.of(w), List.of(),
        (body, _, carried, slices, _) -> new Repeat.Result(
            List.of(body.apply(MatMul.NT, carried.getFirst(), slices.getFirst())), List.of()))
        .getFirst();
    Value loss = builder.apply(new SumTo(Shape.SCALAR), builder.apply(new Multiply(), h, h));
    program.write("sum", Autodiff.gradients(builder, loss, List.of(w), Map.of(w, sum)).getFirst());
    program.fetch("loss", loss);
    return program.build();
  }

  @Test
  void stackedGradientsAreAddedToWhereTheyLie() {
    for (SavePolicy save : SavePolicy.values()) {
      Plan plan = Planner.plan(training(save), NATIVE);
      assertTrue(plan.arenaBytes() < 2 * MATRIX, () -> "arena of " + plan.arenaBytes());
      assertTrue(copies(plan.steps()).stream().allMatch(copy -> copy.from().type().bytes() < MATRIX));
    }
  }

  @Test
  void optimizerNeedsNoArenaAndNoCopy() {
    Program.Builder program = new Program.Builder("step");
    TensorType type = TensorType.f32(LAYERS, WIDTH, WIDTH);
    List<Value> arguments = new ArrayList<>();
    for (String name : List.of("p", "g", "m", "v")) {
      arguments.add(program.state(name, type));
    }
    arguments.add(program.feed("rates", TensorType.f32(3)));
    arguments.add(program.feed("scale", TensorType.f32()));
    List<Value> updated = program.graph().applyAll(new AdamW(0.9, 0.999, 1e-8), arguments);
    program.write("p", updated.get(0)).write("m", updated.get(1)).write("v", updated.get(2));
    program.write("g", program.graph().apply(new Fill(type, 0)));
    Plan plan = Planner.plan(program.build(), NATIVE);
    assertEquals(List.of(), copies(plan.steps()));
    assertEquals(2 * Alignment.BYTES, plan.arenaBytes());
  }

  @Test
  void cacheIsWrittenWhereItLies() {
    Program.Builder program = new Program.Builder("decode");
    Value cache = program.state("cache", TensorType.f32(LAYERS, WIDTH, WIDTH));
    Value rows = program.feed("rows", TensorType.f32(LAYERS, 1, WIDTH));
    Value position = program.feed("position", TensorType.i32());
    Value written = Repeat.apply(program.graph(), LAYERS, SavePolicy.NOTHING, List.of(), List.of(cache, rows),
        List.of(position), (body, _, _, slices, shared) -> new Repeat.Result(List.of(),
            List.of(body.apply(new CacheWrite(), slices.get(0), slices.get(1), shared.getFirst()))))
        .getFirst();
    program.write("cache", written);
    Plan plan = Planner.plan(program.build(), NATIVE);
    assertEquals(List.of(), copies(plan.steps()));
    assertTrue(plan.arenaBytes() < MATRIX);
  }

  @Test
  void valuesInARowTakeTwoPlaces() {
    Program.Builder program = new Program.Builder("row");
    Value x = program.feed("x", TensorType.f32(WIDTH, WIDTH));
    Value h = x;
    for (int i = 0; i < 10; i++) {
      h = program.graph().apply(MatMul.NN, h, h);
      h = program.graph().apply(new Add(), h, h);
    }
    program.fetch("h", h);
    Plan plan = Planner.plan(program.build(), NATIVE);
    assertEquals(2 * MATRIX, plan.arenaBytes());
    assertEquals(plan.arenaBytes(), plan.liveBytes());
    assertEquals(plan.arenaBytes(), plan.peak().stream().mapToLong(Plan.Row::bytes).sum());
    assertEquals(0, plan.gapBytes());
  }

  @Test
  void stateOfAnotherTypeIsNotWritten() {
    Program.Builder program = new Program.Builder("wrong");
    Value state = program.state("state", TensorType.f32(3));
    program.write("state", program.graph().apply(new SumTo(Shape.SCALAR), state));
    assertEquals("wrong: state state is f32[3] but f32[] is written to it",
        assertThrows(IllegalArgumentException.class, program::build).getMessage());
  }

  @Test
  void missingKernelsAreAllNamedWithTheirReason() {
    Lowering.MissingKernelException missing = assertThrows(Lowering.MissingKernelException.class,
        () -> Planner.plan(training(SavePolicy.NOTHING), (op, _, _) -> op instanceof MatMul || op instanceof Fill
            ? new Support.Unsupported("not today")
            : Support.NATIVE));
    assertTrue(missing.missing().stream().anyMatch(text -> text.contains("MatMul") && text.contains("f32[64, 64]")));
    assertTrue(missing.missing().stream().anyMatch(text -> text.contains("Fill")));
    assertTrue(missing.missing().stream().allMatch(text -> text.contains("not today")));
  }

  @Test
  void aModelOfAnySizeIsPlannedWithoutItsMemory() {
    try (NullBackend backend = new NullBackend(NATIVE)) {
      var session = backend.open(64L << 30);
      session.allocate("w", TensorType.f32(80, 8192, 8192));
      Program.Builder program = new Program.Builder("large");
      Value w = program.state("w", TensorType.f32(80, 8192, 8192));
      Value x = program.feed("x", TensorType.f32(1024, 8192));
      program.fetch("y", Repeat.apply(program.graph(), 80, SavePolicy.NOTHING, List.of(x), List.of(w), List.of(),
          (body, _, carried, slices, _) -> new Repeat.Result(
              List.of(body.apply(MatMul.NT, carried.getFirst(), slices.getFirst())), List.of()))
          .getFirst());
      Plan plan = session.compile(program.build()).plan();
      assertEquals(2 * 4L * 1024 * 8192, plan.arenaBytes());
      assertEquals(4L * 80 * 8192 * 8192 + plan.arenaBytes(), session.usedBytes());
      assertEquals(Set.of(Plan.Kind.CARRY, Plan.Kind.BODY),
          plan.peak().stream().map(Plan.Row::kind).collect(Collectors.toSet()));
      session.close();
    }
  }
}
