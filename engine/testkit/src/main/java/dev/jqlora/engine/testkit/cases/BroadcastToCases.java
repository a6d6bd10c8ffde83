package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.BroadcastTo;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link BroadcastTo}. */
final class BroadcastToCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.differentiable(0);
    cases.add("same shape", new BroadcastTo(Shape.of(5, 7)), f32(5, 7));
    cases.add("scalar", new BroadcastTo(Shape.of(3, 17)), f32());
    cases.add("row", new BroadcastTo(Shape.of(3, 17)), f32(17));
    cases.add("column", new BroadcastTo(Shape.of(3, 17)), f32(3, 1));
    cases.add("group of heads", new BroadcastTo(Shape.of(2, 3, 4, 5)), f32(2, 1, 4, 5));
    cases.fails("BroadcastTo: f32[2, 3] cannot be broadcast to [2]", new BroadcastTo(Shape.of(2)), f32(2, 3));
    cases.fails("BroadcastTo: f32[3] cannot be broadcast to [2, 4]", new BroadcastTo(Shape.of(2, 4)), f32(3));
  }
}
