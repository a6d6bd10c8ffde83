package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The suite must see what a faulty backend does. Each of these is right but for one fault after a run. */
class CaseRunTest {
  private static final CaseList CASES = new CaseList().tolerance(DType.F32, Tolerance.ofElement(1e-6, "test"))
      .add("sample", new SwiGlu(), Input.f32(3, 5), Input.f32(3, 5));

  /** What goes wrong after a program has run. */
  private interface Fault extends BiConsumer<Session, Map<String, Tensor>> {}

  private static void run(String program, Fault fault) {
    try (CheckedBackend backend = new CheckedBackend((_, _, _) -> Support.NATIVE);
        Session session = new Faulty(backend.open(Long.MAX_VALUE), program, fault)) {
      new CaseRun(session, CASES.cases().getFirst()).check(CASES);
    }
  }

  private static void assertSeen(String message, String program, Fault fault) {
    AssertionError error = assertThrows(AssertionError.class, () -> run(program, fault));
    assertTrue(String.valueOf(error.getMessage()).contains(message), error.getMessage());
  }

  private static void change(Session session, String state, long byteOffset) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[1]);
    session.read(state, byteOffset, bytes);
    bytes.set(ValueLayout.JAVA_BYTE, 0,
        (byte) (bytes.get(ValueLayout.JAVA_BYTE, 0) ^ 1));
    session.write(state, byteOffset, bytes);
  }

  @Test
  void aRightBackendPasses() {
    run("states", (_, _) -> {
    });
  }

  @Test
  void seesAWrongElement() {
    assertSeen("output 0: element 14", "states", (session, _) -> change(session, "output 0", 14 * 4 + 2));
  }

  @Test
  void seesAChangedInput() {
    assertSeen("input 1 of the program", "states", (session, _) -> change(session, "input 1", 0));
  }

  @Test
  void seesAWriteBeyondAState() {
    assertSeen("guard 2", "states", (session, _) -> change(session, "guard 2", 60));
  }

  @Test
  void seesAResultThatDependsOnWhereOperandsLie() {
    assertSeen("with inputs fed", "transfers",
        (_, fetches) -> fetches.computeIfPresent("output 0", (_, output) -> {
          output.set(3, output.get(3) + 1);
          return output;
        }));
  }

  @Test
  void seesAWriteBeyondABuffer() {
    assertSeen("guard 0", "transfers", (_, fetches) -> fetches.put("guard 0",
        Tensor.of(TensorType.u8(61), new byte[61])));
  }

  @Test
  void seesOneSliceSpoilAnother() {
    assertSeen("slice 1", "slices", (session, _) -> change(session, "stacked output 0", 15 * 4));
  }

  @Test
  void seesASliceReadForAnother() {
    assertSeen("slice 1", "slices", (session, _) -> {
      MemorySegment slice = MemorySegment.ofArray(new float[15]);
      session.read("stacked output 0", 0, slice);
      session.write("stacked output 0", 15 * 4, slice);
    });
  }

  @Test
  void seesInputsOfAnEarlierRun() {
    for (int kept = 1; kept <= 2; kept++) {
      int last = kept;
      List<Map<String, Tensor>> runs = new ArrayList<>();
      assertSeen("unlike run " + (kept + 1), "transfers", (_, fetches) -> {
        runs.add(Map.copyOf(fetches));
        fetches.putAll(runs.get(Math.min(runs.size(), last) - 1));
      });
    }
  }

  @Test
  void seesAWrongResultInPlace() {
    assertSeen("in place of input 0", "in place", (session, _) -> change(session, "own input 0 of {0=0}", 0));
  }

  @Test
  void seesAWrongResultInPlaceOfTheLastInput() {
    assertSeen("in place of input 1", "in place", (session, _) -> {
      if (has(session, "own input 1 of {0=1}")) {
        change(session, "own input 1 of {0=1}", 0);
      }
    });
  }

  private static boolean has(Session session, String state) {
    try {
      return session.type(state) != null;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** Another session, with a fault after each run of a program of one name. */
  private record Faulty(Session session, String program, Fault fault) implements Session {
    @Override
    public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
      return session.supports(op, inputs, outputs);
    }

    @Override
    public void allocate(String state, TensorType type) {
      session.allocate(state, type);
    }

    @Override
    public TensorType type(String state) {
      return session.type(state);
    }

    @Override
    public void write(String state, long offset, MemorySegment bytes) {
      session.write(state, offset, bytes);
    }

    @Override
    public void read(String state, long offset, MemorySegment target) {
      session.read(state, offset, target);
    }

    @Override
    public Executable compile(Program compiled) {
      Executable executable = session.compile(compiled);
      return new Executable() {
        @Override
        public Plan plan() {
          return executable.plan();
        }

        @Override
        public Map<String, Tensor> run(Map<String, Tensor> feeds) {
          Map<String, Tensor> fetches = new HashMap<>(executable.run(feeds));
          if (compiled.name().equals(program)) {
            fault.accept(session, fetches);
          }
          return fetches;
        }
      };
    }

    @Override
    public long usedBytes() {
      return session.usedBytes();
    }

    @Override
    public void profile(@Nullable Profile profile) {
      session.profile(profile);
    }

    @Override
    public void close() {
      session.close();
    }
  }
}
