package dev.jqlora.engine.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Where a backend cannot make what the books allow, the books are as they were before. */
class AccountedSessionTest {
  private static final TensorType TYPE = TensorType.f32(4, 16);

  /** Rules by which a program keeps memory for itself, and pages may be refused. */
  private static final class Rules implements MemoryRules {
    private boolean refuse;

    @Override
    public long residentBytes(Collection<TensorType> states, PageTable pages, Collection<Plan> plans) {
      if (refuse) {
        throw new IllegalStateException("refused");
      }
      return MemoryRules.super.residentBytes(states, pages, plans);
    }

    @Override
    public long programBytes(Plan plan, PageTable pages) {
      return 1000;
    }
  }

  /** Has no memory and fails when told to. */
  private static final class FailingSession extends AccountedSession {
    private final Rules rules;
    private boolean fail;
    private boolean larger;

    FailingSession() {
      this(new Rules());
    }

    private FailingSession(Rules rules) {
      super((_, _, _) -> Support.NATIVE, new SessionAccount(1 << 20, rules));
      this.rules = rules;
    }

    private void make() {
      if (fail) {
        throw new OutOfMemoryError("told to fail");
      }
    }

    @Override
    protected void make(String state, TensorType type) {
      make();
    }

    @Override
    public void allocatePaged(String state, TensorType type, int pages) {
      allocatePaged(state, type, pages, this::make);
    }

    @Override
    protected void copyIn(String state, long offset, MemorySegment bytes) {}

    @Override
    protected void copyOut(String state, long offset, MemorySegment target) {}

    @Override
    protected Executable executable(Plan plan, boolean isLarger) {
      make();
      larger = isLarger;
      return new PlannedExecutable(plan) {
        @Override
        protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
          return Map.of();
        }
      };
    }

    @Override
    public void close() {}
  }

  private final FailingSession session = new FailingSession();

  private static Program program() {
    Program.Builder program = new Program.Builder("norm");
    return program.fetch("norm", program.graph().apply(new SumOfSquares(),
        program.graph().apply(new Scale(2), program.state("x", TYPE)))).build();
  }

  private void assertFails(Runnable action) {
    long before = session.usedBytes();
    session.fail = true;
    assertThrows(OutOfMemoryError.class, action::run);
    session.fail = false;
    assertEquals(before, session.usedBytes());
  }

  @Test
  void aStateWithoutMemoryIsNotThere() {
    session.allocate("other", TYPE);
    assertFails(() -> session.allocate("x", TYPE));
    assertThrows(IllegalArgumentException.class, () -> session.type("x"));
    session.allocate("x", TYPE);
    assertEquals(2 * TYPE.bytes(), session.usedBytes());
  }

  @Test
  void aStateWithoutRoomForItsPagesIsNotThere() {
    session.allocatePaged("other", TYPE, 4);
    assertFails(() -> session.allocatePaged("x", TYPE, 2));
    assertThrows(IllegalArgumentException.class, () -> session.type("x"));
    session.allocatePaged("x", TYPE, 2);
    assertEquals(2 * TYPE.bytes(), session.usedBytes());
  }

  @Test
  void aProgramThatIsNotReadyTakesNothing() {
    session.allocatePaged("x", TYPE, 1);
    assertFails(() -> session.compile(program()));
    Plan plan = session.compile(program()).plan();
    assertTrue(session.larger);
    assertEquals(TYPE.bytes() + plan.arenaBytes() + 1000, session.usedBytes());
    assertFails(() -> session.compile(program()));
    session.compile(program());
    assertFalse(session.larger);
  }

  @Test
  void pagesThatTheDeviceRefusesAreNotThere() {
    session.allocatePaged("other", TYPE, 4);
    session.rules.refuse = true;
    assertThrows(IllegalStateException.class, () -> session.allocatePaged("x", TYPE, 2));
    session.rules.refuse = false;
    assertThrows(IllegalArgumentException.class, () -> session.type("x"));
    assertEquals(TYPE.bytes(), session.usedBytes());
    assertEquals(4, session.account().pages().pages().size());
    session.allocatePaged("x", TYPE, 2);
    assertEquals(2 * TYPE.bytes(), session.usedBytes());
  }
}
