package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * Whether states in pages are, but for the memory that they take, ordinary states: the same optimizer steps give the same
 * bytes, however small the pool; and the pool may be as small as the plan says, but no smaller. A backend joins by extending
 * this class.
 */
public abstract class PagingSuite {
  private static final int STEPS = 3;

  /** A backend that this suite may close. */
  protected abstract Backend backend();

  /** How many random sets of states are tried. */
  protected int seeds() {
    return 12;
  }

  /** Whether the backend moves pages; one that does not makes ordinary states of them. */
  protected boolean movesPages() {
    return true;
  }

  /** A stack of parameters of one kind with their moments. */
  private record Kind(String name, int layers, int elements, boolean is8bit) {
    TensorType type() {
      return TensorType.f32(layers, elements);
    }

    SequencedMap<String, TensorType> moments() {
      SequencedMap<String, TensorType> moments = new LinkedHashMap<>();
      TensorType moment = is8bit ? new TensorType(DType.U8, type().shape()) : type();
      moments.put(name + ".state1", moment);
      if (is8bit) {
        moments.put(name + ".absmax1", new AdamW8bit(layers, 0, 0, 0).absmaxType(type()));
      }
      moments.put(name + ".state2", moment);
      if (is8bit) {
        moments.put(name + ".absmax2", new AdamW8bit(layers, 0, 0, 0).absmaxType(type()));
      }
      return moments;
    }

    /** All states of the kind: parameter, gradient, moments. */
    SequencedMap<String, TensorType> states() {
      SequencedMap<String, TensorType> states = new LinkedHashMap<>();
      states.put(name, type());
      states.put(name + ".gradient", type());
      states.putAll(moments());
      return states;
    }
  }

  private static List<Kind> randomKinds(Random random) {
    int layers = 1 + random.nextInt(5);
    List<Kind> kinds = new ArrayList<>();
    for (int i = 0; i <= random.nextInt(4); i++) {
      kinds.add(new Kind("kind" + i, layers, 1 + random.nextInt(1500), random.nextBoolean()));
    }
    return kinds;
  }

  /** Updates the parameters of all layers of a kind at once, as states that are not in pages allow. */
  private static Program stackedStep(List<Kind> kinds) {
    Program.Builder program = new Program.Builder("stacked_step");
    Value rates = program.feed("rates", TensorType.f32(3));
    Value scale = program.feed("scale", TensorType.f32());
    for (Kind kind : kinds) {
      List<Value> arguments = arguments(program, kind);
      write(program, kind, update(program.graph(), kind.layers(), kind.is8bit(), arguments, rates, scale));
    }
    return program.build();
  }

  /** Updates them layer by layer. */
  private static Program layeredStep(List<Kind> kinds) {
    Program.Builder program = new Program.Builder("layered_step");
    Value rates = program.feed("rates", TensorType.f32(3));
    Value scale = program.feed("scale", TensorType.f32());
    List<Value> arguments = kinds.stream().flatMap(kind -> arguments(program, kind).stream()).toList();
    List<Value> results = Repeat.apply(program.graph(), kinds.getFirst().layers(), SavePolicy.NOTHING, List.of(),
        arguments, List.of(rates, scale), (graph, _, _, slices, shared) -> {
          List<Value> updated = new ArrayList<>();
          int first = 0;
          for (Kind kind : kinds) {
            List<Value> slice = slices.subList(first, first + kind.states().size());
            updated.addAll(update(graph, 1, kind.is8bit(), slice, shared.get(0), shared.get(1)));
            first += slice.size();
          }
          return new Repeat.Result(List.of(), updated);
        });
    int first = 0;
    for (Kind kind : kinds) {
      write(program, kind, results.subList(first, first + kind.states().size() - 1));
      first += kind.states().size() - 1;
    }
    return program.build();
  }

  private static List<Value> arguments(Program.Builder program, Kind kind) {
    return kind.states().entrySet().stream().map(state -> program.state(state.getKey(), state.getValue())).toList();
  }

  /** Returns the parameter and the moments. */
  private static List<Value> update(GraphBuilder graph, int count, boolean is8bit, List<Value> states, Value rates,
      Value scale) {
    List<Value> arguments = new ArrayList<>(states);
    arguments.add(rates);
    arguments.add(scale);
    if (!is8bit) {
      return graph.applyAll(new AdamW(0.9, 0.99, 1e-8), arguments);
    }
    AdamW8bit op = new AdamW8bit(count, 0.9, 0.99, 1e-8);
    TensorType given = states.get(3).type();
    for (int absmax = 3; absmax < 6; absmax += 2) {
      Reshape reshape = new Reshape(op.absmaxType(states.getFirst().type()).shape());
      arguments.set(absmax, graph.apply(reshape, arguments.get(absmax)));
    }
    List<Value> updated = new ArrayList<>(graph.applyAll(op, arguments));
    for (int absmax = 2; absmax < 5; absmax += 2) {
      updated.set(absmax, graph.apply(new Reshape(given.shape()), updated.get(absmax)));
    }
    return updated;
  }

  private static void write(Program.Builder program, Kind kind, List<Value> updated) {
    program.write(kind.name(), updated.getFirst());
    List<String> moments = List.copyOf(kind.moments().keySet());
    for (int i = 0; i < moments.size(); i++) {
      program.write(moments.get(i), updated.get(1 + i));
    }
  }

  private static void allocate(Session session, List<Kind> kinds, boolean paged) {
    for (Kind kind : kinds) {
      session.allocate(kind.name(), kind.type());
      session.allocate(kind.name() + ".gradient", kind.type());
      kind.moments().forEach((state, type) -> {
        if (paged) {
          session.allocatePaged(state, type, kind.layers());
        } else {
          session.allocate(state, type);
        }
      });
    }
  }

  private static void fill(Session session, String state, Random random) {
    TensorType type = session.type(state);
    MemorySegment bytes = Arena.ofAuto().allocate(type.bytes(), Float.BYTES);
    for (long i = 0; i < type.elements(); i++) {
      bytes.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    session.write(state, 0, bytes);
  }

  private static void fillParameters(Session session, List<Kind> kinds) {
    Random random = new Random(1);
    kinds.forEach(kind -> fill(session, kind.name(), random));
  }

  /** Runs a few optimizer steps; the moments are carried through the host once, as a checkpoint does. */
  private static void train(Session session, Executable step, List<Kind> kinds) {
    for (int i = 0; i < STEPS; i++) {
      Random random = new Random(100 + i);
      kinds.forEach(kind -> fill(session, kind.name() + ".gradient", random));
      step.run(Map.of("rates", Tensor.of(TensorType.f32(3), -1e-2f, 0.5f, 0.999f), "scale", Tensor.scalar(0.7f)));
      if (i == 0) {
        kinds.forEach(kind -> kind.moments().keySet().forEach(state -> {
          MemorySegment bytes = MemorySegment.ofArray(bytes(session, state));
          session.write(state, 0, MemorySegment.ofArray(new byte[(int) bytes.byteSize()]));
          session.write(state, 0, bytes);
        }));
      }
    }
  }

  private static byte[] bytes(Session session, String state) {
    byte[] bytes = new byte[Math.toIntExact(session.type(state).bytes())];
    session.read(state, 0, MemorySegment.ofArray(bytes));
    return bytes;
  }

  private static Map<String, byte[]> contents(Session session, List<Kind> kinds) {
    Map<String, byte[]> contents = new TreeMap<>();
    kinds.forEach(kind -> kind.states().keySet().forEach(state -> contents.put(state, bytes(session, state))));
    return contents;
  }

  private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> actual) {
    expected.forEach((state, bytes) -> assertArrayEquals(bytes, actual.get(state), state));
  }

  /** Bytes of a session that must hold the kinds: all but the pages, all pages, and the fewest pages to run with. */
  private record Needs(long rest, long pages, long fewestPages) {
    static Needs of(Backend backend, List<Kind> kinds) {
      PageTable table = table(backend, kinds);
      try (Session session = backend.open(Long.MAX_VALUE)) {
        allocate(session, kinds, false);
        var plan = session.compile(layeredStep(kinds)).plan();
        long rest = backend.residentBytes(parameters(kinds), table, List.of(plan)) + backend.programBytes(plan, table);
        return new Needs(rest, table.totalBytes(), table.workingSetBytes(plan));
      }
    }

    static PageTable table(Backend backend, List<Kind> kinds) {
      PageTable table = backend.pageTable();
      kinds.forEach(kind -> kind.moments().forEach((state, type) -> table.add(state, type, kind.layers())));
      return table;
    }

    /** The states that are not in pages: parameters and gradients. */
    static List<TensorType> parameters(List<Kind> kinds) {
      return kinds.stream().flatMap(kind -> Stream.of(kind.type(), kind.type())).toList();
    }
  }

  @Test
  void theSameStepsGiveTheSameBytes() {
    try (Backend backend = backend()) {
      for (int seed = 0; seed < seeds(); seed++) {
        Random random = new Random(seed);
        List<Kind> kinds = randomKinds(random);
        Needs needs = Needs.of(backend, kinds);
        Map<String, byte[]> expected;
        try (Session session = backend.open(Long.MAX_VALUE)) {
          allocate(session, kinds, false);
          fillParameters(session, kinds);
          train(session, session.compile(stackedStep(kinds)), kinds);
          expected = contents(session, kinds);
        }
        long between = needs.fewestPages() + random.nextLong(needs.pages() - needs.fewestPages() + 1);
        for (long pool : List.of(needs.fewestPages(), between, needs.pages())) {
          try (Session session = backend.open(movesPages() ? needs.rest() + pool : Long.MAX_VALUE)) {
            allocate(session, kinds, true);
            fillParameters(session, kinds);
            Executable step = session.compile(layeredStep(kinds));
            train(session, step, kinds);
            assertSame(expected, contents(session, kinds));
            if (movesPages()) {
              checkMoves(session, needs, pool);
            }
          }
        }
      }
    }
  }

  private static void checkMoves(Session session, Needs needs, long pool) {
    assertEquals(needs.rest() + Alignment.roundDown(pool), session.usedBytes());
    assertEquals(session.usedBytes(), session.peakBytes());
    assertEquals(pool == needs.pages(), session.paging().isNone(), session.paging().toString());
    if (pool < needs.pages()) {
      assertTrue(session.paging().pagesOut() > 0 && session.paging().bytesIn() > session.paging().pagesIn());
    }
  }

  @Test
  void aPoolBelowTheLeastIsRefused() {
    Assumptions.assumeTrue(movesPages(), "makes ordinary states of paged ones");
    List<Kind> kinds = List.of(new Kind("a", 3, 1000, true), new Kind("b", 3, 77, false));
    try (Backend backend = backend()) {
      Needs needs = Needs.of(backend, kinds);
      assertTrue(needs.fewestPages() < needs.pages() / 2, needs.toString());
      try (Session session = backend.open(needs.rest() + needs.fewestPages() - 1)) {
        allocate(session, kinds, true);
        JqloraException thrown = assertThrows(JqloraException.class, () -> session.compile(layeredStep(kinds)));
        assertEquals(JqloraException.Kind.MEMORY, thrown.kind());
        assertTrue(String.valueOf(thrown.getMessage()).startsWith("program layered_step takes "), thrown.getMessage());
        assertTrue(session.usedBytes() < needs.rest() + needs.fewestPages());
      }
    }
  }

  /** The pool gives way to what comes later, down to the least, with the pages' bytes unharmed. */
  @Test
  void whatComesLaterTakesFromThePool() {
    Assumptions.assumeTrue(movesPages(), "makes ordinary states of paged ones");
    List<Kind> kinds = List.of(new Kind("a", 4, 90_000, true), new Kind("b", 4, 33_333, false));
    try (Backend backend = backend()) {
      Needs needs = Needs.of(backend, kinds);
      Map<String, byte[]> before;
      try (Session session = backend.open(needs.rest() + needs.pages())) {
        allocate(session, kinds, true);
        fillParameters(session, kinds);
        Executable step = session.compile(layeredStep(kinds));
        train(session, step, kinds);
        assertTrue(session.paging().isNone());
        before = contents(session, kinds);

        int spare = Math.toIntExact(needs.pages() - needs.fewestPages());
        Executable larger = session.compile(doubled(TensorType.f32(spare / 32)));
        assertSame(before, contents(session, kinds));
        train(session, step, kinds);
        assertTrue(session.paging().pagesIn() > 0, session.paging().toString());
        before = contents(session, kinds);

        int left = Math.toIntExact(mostBytes(backend, kinds, List.of(step.plan(), larger.plan()),
            needs.rest() + needs.pages() - needs.fewestPages()));
        JqloraException thrown = assertThrows(JqloraException.class,
            () -> session.allocate("later", TensorType.u8(left + 1)));
        assertEquals(JqloraException.Kind.MEMORY, thrown.kind());
        session.allocate("later", TensorType.u8(left));
        assertSame(before, contents(session, kinds));
        train(session, step, kinds);
        long unused = needs.rest() + needs.pages() - session.usedBytes();
        assertTrue(unused >= 0 && unused < Alignment.BYTES, "bytes left: " + unused);
        assertEquals(session.usedBytes(), session.peakBytes());
      }
    }
  }

  /** The largest state of bytes, a multiple of 64, with which a session still fits into a limit without pages. */
  private static long mostBytes(Backend backend, List<Kind> kinds, List<Plan> plans, long limit) {
    PageTable table = Needs.table(backend, kinds);
    List<TensorType> states = new ArrayList<>(Needs.parameters(kinds));
    states.add(TensorType.u8(Math.toIntExact(Alignment.BYTES)));
    long room = limit - backend.residentBytes(states, table, plans)
        - plans.stream().mapToLong(plan -> backend.programBytes(plan, table)).sum();
    return Alignment.BYTES + Alignment.roundDown(room);
  }

  /** Has no states, and an arena of one or two tensors of the type. */
  private static Program doubled(TensorType type) {
    Program.Builder program = new Program.Builder("doubled");
    return program.fetch("y", program.graph().apply(new Scale(2), program.feed("x", type))).build();
  }

  /** {@code moved ← 2 · state}, fetched too: pages in copies and fetches, and reads and writes across their borders. */
  @Test
  void pagesAreReadAndWrittenLikeAnyState() {
    TensorType type = TensorType.f32(3, 5);
    Program.Builder program = new Program.Builder("double");
    List<Value> doubled = Repeat.apply(program.graph(), 3, SavePolicy.NOTHING, List.of(),
        List.of(program.state("state", type)), List.of(),
        (graph, _, _, slices, _) -> new Repeat.Result(List.of(),
            List.of(graph.apply(new Scale(2), slices.getFirst()), slices.getFirst())));
    program.write("moved", doubled.get(0)).write("copied", doubled.get(1));
    float[] values = new float[15];
    for (int i = 0; i < values.length; i++) {
      values[i] = i + 1;
    }
    try (Backend backend = backend(); Session session = open(backend, program.build(), type)) {
      for (String state : List.of("state", "moved", "copied")) {
        session.allocatePaged(state, type, 3);
        assertArrayEquals(new byte[60], bytes(session, state));
      }
      session.write("state", 0, Tensor.of(type, values).data());
      session.write("state", 18, MemorySegment.ofArray(bytes(session, "state")).asSlice(18, 24));
      session.compile(program.build()).run(Map.of());
      session.write("state", 0, Tensor.of(type, values).data());
      session.compile(program.build()).run(Map.of());
      for (int i = 0; i < values.length; i++) {
        Tensor one = Tensor.of(TensorType.f32(), 0f);
        session.read("moved", i * 4L, one.data());
        assertEquals(2 * values[i], one.get(0));
        session.read("copied", i * 4L, one.data());
        assertEquals(values[i], one.get(0));
      }
      assertThrows(IndexOutOfBoundsException.class,
          () -> session.write("state", 56, MemorySegment.ofArray(new byte[5])));
      assertThrows(IndexOutOfBoundsException.class,
          () -> session.read("state", 60, MemorySegment.ofArray(new byte[1])));
      assertEquals("state state is already there",
          assertThrows(IllegalArgumentException.class, () -> session.allocatePaged("state", type, 3)).getMessage());
    }
  }

  /** A session with room for four pages beside what two of the programs take, whose states are all in pages. */
  private Session open(Backend backend, Program program, TensorType type) {
    if (!movesPages()) {
      return backend.open(Long.MAX_VALUE);
    }
    PageTable table = backend.pageTable();
    List.of("state", "moved", "copied").forEach(state -> table.add(state, type, 3));
    Plan plan = Planner.plan(program, backend);
    long rest = backend.residentBytes(List.of(), table, List.of(plan)) + 2 * backend.programBytes(plan, table);
    return backend.open(rest + 4 * Alignment.BYTES);
  }

  @Test
  void aStepThatUsesSeveralPagesAsOneOperandIsRefused() {
    Assumptions.assumeTrue(movesPages(), "makes ordinary states of paged ones");
    List<Kind> kinds = List.of(new Kind("a", 2, 10, false));
    try (Backend backend = backend(); Session session = backend.open(Long.MAX_VALUE)) {
      allocate(session, kinds, true);
      IllegalArgumentException thrown = assertThrows(IllegalArgumentException.class,
          () -> session.compile(stackedStep(kinds)));
      assertEquals("stacked_step: an operand of 80 bytes lies in more than one page of state a.state1",
          thrown.getMessage());
    }
  }
}
