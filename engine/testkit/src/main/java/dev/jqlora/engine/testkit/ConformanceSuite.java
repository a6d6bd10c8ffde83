package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestReporter;

/**
 * Whether a backend computes what the ops mean: every case of every op, with the inputs and outputs in states, in the
 * arena, in slices and in place; and whether its sessions keep their contract. A backend joins by extending this class.
 */
public abstract class ConformanceSuite {
  /** A backend that this suite may close. */
  protected abstract Backend backend();

  /** The ops of which it is known that the backend runs some cases in no way; any other is a failure. */
  protected Set<String> knownUnsupported() {
    return Set.of();
  }

  /** Runs a case; a backend that computes nothing overrides this. */
  protected void check(CaseRun run, CaseList cases) {
    run.check(cases);
  }

  /** Runs a Repeat of three iterations; a backend that computes nothing overrides this. */
  protected void checkRepeat(boolean reverse) {
    try (Backend backend = backend(); Session session = backend.open(Long.MAX_VALUE)) {
      new RepeatRun(session, reverse).check();
    }
  }

  /** Runs ops with ids and labels that name nothing; a backend that computes nothing overrides this. */
  protected void checkBadIndices() {
    try (Backend backend = backend(); Session session = backend.open(Long.MAX_VALUE)) {
      new BadIndexRun(session).check();
    }
  }

  @TestFactory
  Stream<DynamicNode> everyCaseOfEveryOp(TestReporter reporter) {
    Backend backend = backend();
    Conformance conformance = new Conformance(backend);
    List<DynamicNode> nodes = new ArrayList<>();
    SortedMap<String, CaseList> all = new TreeMap<>(CaseCatalogue.all());
    all.forEach((op, list) -> nodes.add(dynamicContainer(op,
        list.cases().stream().map(sample -> dynamicTest(sample.name(),
            () -> conformance.run(op, sample, run -> check(run, list))
                .ifPresent(reason -> Assumptions.abort("unsupported: " + reason)))))));
    nodes.add(dynamicTest("counts", () -> {
      reporter.publishEntry(backend.name(), conformance.text());
      assertTrue(conformance.cases() > 0, "nothing was checked");
      assertEquals(new TreeSet<>(knownUnsupported()), conformance.unsupported());
    }));
    return nodes.stream().onClose(backend::close);
  }

  @Test
  void aRepeatHandsOnAndCounts() {
    checkRepeat(false);
  }

  @Test
  void aRepeatRunsBackwards() {
    checkRepeat(true);
  }

  @Test
  void whatNamesNoRowIsRefusedOrShows() {
    checkBadIndices();
  }

  @Test
  void statesAreZeroAtFirstAndNamedOnce() {
    try (Backend backend = backend(); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("state", TensorType.f32(3));
      Tensor content = Tensor.of(TensorType.f32(3), 1f, 2f, 3f);
      session.read("state", 0, content.data());
      assertArrayEquals(new float[3], content.toFloats());
      assertEquals(TensorType.f32(3), session.type("state"));
      assertRefused("state state is already there", () -> session.allocate("state", TensorType.f32(3)));
      assertRefused("no state is named other", () -> session.type("other"));
      assertRefused("no state is named other", () -> session.write("other", 0, content.data()));
      assertRefused("no state is named other", () -> session.read("other", 0, content.data()));
      assertThrows(IndexOutOfBoundsException.class, () -> session.write("state", 8, content.data()));
      assertThrows(IndexOutOfBoundsException.class, () -> session.read("state", 8, content.data()));
    }
  }

  /** {@code state ← state + x}, fetched too. */
  private static Program sum(TensorType type) {
    Program.Builder program = new Program.Builder("sum");
    Value sum = program.graph().apply(new Add(), program.state("state", type), program.feed("x", type));
    return program.write("state", sum).fetch("sum", sum).build();
  }

  @Test
  void programsMustFitTheStatesAndTheFeedsTheProgram() {
    TensorType type = TensorType.f32(3);
    try (Backend backend = backend(); Session session = backend.open(Long.MAX_VALUE)) {
      assertRefused("no state is named state", () -> session.compile(sum(type)));
      session.allocate("state", TensorType.f32(4));
      assertRefused("sum: state state is f32[4], the program has it as f32[3]", () -> session.compile(sum(type)));
      Executable executable = session.compile(sum(TensorType.f32(4)));
      Tensor right = Tensor.of(TensorType.f32(4), new float[4]);
      Tensor wrong = Tensor.of(type, new float[3]);
      assertRefused("sum takes the feeds [x], got []", () -> executable.run(Map.of()));
      assertRefused("sum takes the feeds [x], got [x, y]", () -> executable.run(Map.of("x", right, "y", right)));
      assertRefused("sum: feed x is f32[4], got f32[3]", () -> executable.run(Map.of("x", wrong)));
      assertEquals(Set.of("sum"), executable.run(Map.of("x", right)).keySet());
    }
  }

  @Test
  void memoryBeyondTheLimitIsRefused() {
    TensorType type = TensorType.f32(1000);
    try (Backend backend = backend()) {
      PageTable noPages = backend.pageTable();
      Plan plan = Planner.plan(sum(type), backend);
      long state = backend.residentBytes(List.of(type), noPages, List.of());
      long all = backend.residentBytes(List.of(type), noPages, List.of(plan)) + backend.programBytes(plan, noPages);
      try (Session session = backend.open(state + 2_968)) {
        session.allocate("state", type);
        assertEquals(state, session.usedBytes());
        assertTooLarge("state large", () -> session.allocate("large", TensorType.f32(2_000)));
        assertTooLarge("program sum", () -> session.compile(sum(type)));
        assertEquals(state, session.usedBytes());
      }
      try (Session session = backend.open(all + 8_000)) {
        session.allocate("state", type);
        session.compile(sum(type));
        assertEquals(all, session.usedBytes());
        assertEquals(session.usedBytes(), session.peakBytes());
        assertTooLarge("state large", () -> session.allocate("large", TensorType.f32(3_000)));
      }
    }
  }

  private static void assertRefused(String message, Runnable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call::run).getMessage());
  }

  private static void assertTooLarge(String what, Runnable call) {
    JqloraException thrown = assertThrows(JqloraException.class, call::run);
    assertEquals(JqloraException.Kind.MEMORY, thrown.kind());
    assertTrue(String.valueOf(thrown.getMessage()).startsWith(what), thrown.getMessage());
  }
}
