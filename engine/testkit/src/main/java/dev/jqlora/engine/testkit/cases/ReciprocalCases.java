package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Reciprocal;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Reciprocal}. */
final class ReciprocalCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1.2e-7, "one rounding"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Reciprocal(), between(0.1, 20, n));
    }
    cases.add("scalar", new Reciprocal(), between(0.1, 20));
    cases.add("matrix", new Reciprocal(), between(0.1, 20, 5, 33));
    cases.fails("Reciprocal: x must be [F32], got u8[2]", new Reciprocal(), codes(2));
    cases.fails("Reciprocal: expected 1 inputs, got 2", new Reciprocal(), f32(2), f32(2));
  }
}
