package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.AtMost;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link AtMost}. */
final class AtMostCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("0 or 1"));
    cases.add("vectors", new AtMost(), ids(5, 100), ids(5, 100));
    cases.add("table", new AtMost(), ids(17, 17, 1), ids(17, 17));
    cases.add("scalar", new AtMost(), scalar(3), ids(7, 5, 3));
    cases.add("negative", new AtMost(), ints(-100, -1, 0, 1), ints(-100, -2, 0, 2));
    cases.fails("AtMost: a must be [I32], got f32[2]", new AtMost(), f32(2), f32(2));
    cases.fails("AtMost: [2] and [3] cannot be broadcast together", new AtMost(), ids(1, 2), ids(1, 3));
  }
}
