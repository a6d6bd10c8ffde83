package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import org.junit.jupiter.api.Test;

class NullConformanceTest extends ConformanceSuite {
  @Override
  protected Backend backend() {
    return new NullBackend((_, _, _) -> Support.NATIVE);
  }

  @Override
  protected void check(CaseRun run, CaseList cases) {
    Plan plan = run.plan();
    assertTrue(plan.steps().size() <= 1 && plan.liveBytes() <= plan.arenaBytes());
  }

  @Override
  protected void checkRepeat(boolean reverse) {}

  @Override
  protected void checkBadIndices() {}

  @Test
  void pagesAreCountedAsFarAsTheyFit() {
    try (Backend backend = backend(); Session session = backend.open(1_000)) {
      session.allocate("state", TensorType.u8(100));
      session.allocatePaged("small", TensorType.u8(2, 64), 2);
      assertEquals(2 * 128, session.usedBytes());
      session.allocatePaged("large", TensorType.u8(30, 64), 30);
      assertEquals(128 + 832, session.usedBytes());
    }
  }
}
