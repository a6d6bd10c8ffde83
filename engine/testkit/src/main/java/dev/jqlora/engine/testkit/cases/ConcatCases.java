package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.Concat;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Concat}. */
final class ConcatCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.differentiable(0, 1);
    cases.add("rows", new Concat(0, 2), f32(2, 7), f32(3, 7));
    cases.add("columns", new Concat(1, 2), f32(3, 5), f32(3, 17));
    cases.add("halves of heads", new Concat(2, 2), f32(3, 2, 4), f32(3, 2, 4));
    cases.add("three", new Concat(0, 3), f32(1), f32(2), f32(3));
    cases.differentiable();
    cases.add("whole numbers", new Concat(0, 2), ids(9, 3), ids(9, 4));
    cases.fails("Concat: f32[3, 8] does not fit f32[2, 7] along axis 0", new Concat(0, 2), f32(2, 7), f32(3, 8));
    cases.fails("Concat: expected 3 inputs, got 2", new Concat(0, 3), f32(2), f32(2));
  }
}
