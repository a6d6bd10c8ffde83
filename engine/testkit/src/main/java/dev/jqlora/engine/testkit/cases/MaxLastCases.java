package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.MaxLast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link MaxLast}. */
final class MaxLastCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("one of the elements"));
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add("rows of " + n, new MaxLast(), f32(3, n));
    }
    cases.add("all negative", new MaxLast(), between(-9, -1, 2, 3, 17));
    cases.add("minus infinity", new MaxLast(), floats(Float.NEGATIVE_INFINITY, -1, Float.NEGATIVE_INFINITY));
    cases.fails("MaxLast: x must have elements in its last axis, got f32[3, 0]", new MaxLast(), f32(3, 0));
    cases.fails("MaxLast: x must be [F32], got i32[3]", new MaxLast(), ids(1, 3));
  }
}
