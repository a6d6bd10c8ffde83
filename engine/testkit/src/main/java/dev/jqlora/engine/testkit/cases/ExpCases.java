package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Exp;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Exp}. */
final class ExpCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(4e-7, "a polynomial of 2 or 3 roundings"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Exp(), between(-20, 5, n));
    }
    cases.add("scalar", new Exp(), between(-20, 5));
    cases.add("matrix", new Exp(), between(-20, 5, 5, 33));
    cases.fails("Exp: x must be [F32], got u8[2]", new Exp(), codes(2));
    cases.fails("Exp: expected 1 inputs, got 2", new Exp(), f32(2), f32(2));
  }
}
