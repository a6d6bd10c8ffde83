package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;

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
}
