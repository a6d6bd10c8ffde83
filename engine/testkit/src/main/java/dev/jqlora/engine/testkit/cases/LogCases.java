package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Log;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Log}. */
final class LogCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(4e-7, "logarithms near 1 cancel"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Log(), between(0.01, 20, n));
    }
    cases.add("scalar", new Log(), between(0.01, 20));
    cases.add("matrix", new Log(), between(0.01, 20, 5, 33));
    cases.fails("Log: x must be [F32], got u8[2]", new Log(), codes(2));
    cases.fails("Log: expected 1 inputs, got 2", new Log(), f32(2), f32(2));
  }
}
