package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.SumTo;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link SumTo}. */
final class SumToCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-6, "a sum whose terms may cancel"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 1000}) {
      cases.add(n + " to a scalar", new SumTo(Shape.SCALAR), f32(n));
    }
    cases.differentiable();
    cases.add("1,100,001 to a scalar", new SumTo(Shape.SCALAR), f32(1_100_001));
    cases.differentiable(0);
    cases.add("nothing to sum", new SumTo(Shape.of(5, 7)), f32(5, 7));
    cases.add("rows", new SumTo(Shape.of(33)), f32(5, 33));
    cases.add("columns", new SumTo(Shape.of(5, 1)), f32(5, 33));
    cases.add("group of heads", new SumTo(Shape.of(2, 1, 4, 5)), f32(2, 3, 4, 5));
    cases.add("first and last axis", new SumTo(Shape.of(4, 1)), f32(3, 4, 17));
    cases.differentiable();
    cases.add("nothing to a scalar", new SumTo(Shape.SCALAR), f32(0));
    cases.add("no rows", new SumTo(Shape.of(33)), f32(0, 33));
    cases.fails("SumTo: [3] cannot be broadcast to f32[2, 4]", new SumTo(Shape.of(3)), f32(2, 4));
    cases.fails("SumTo: x must be [F32], got i32[2]", new SumTo(Shape.SCALAR), ids(1, 2));
  }
}
