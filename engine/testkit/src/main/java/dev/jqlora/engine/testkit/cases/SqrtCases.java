package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Sqrt;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Sqrt}. */
final class SqrtCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1.2e-7, "one rounding"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Sqrt(), between(0.01, 20, n));
    }
    cases.add("scalar", new Sqrt(), between(0.01, 20));
    cases.add("matrix", new Sqrt(), between(0.01, 20, 5, 33));
    cases.fails("Sqrt: x must be [F32], got u8[2]", new Sqrt(), codes(2));
    cases.fails("Sqrt: expected 1 inputs, got 2", new Sqrt(), f32(2), f32(2));
  }
}
