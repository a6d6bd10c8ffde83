package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.Reshape;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Reshape}. */
final class ReshapeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("the same memory"));
    cases.differentiable(0);
    cases.add("flat", new Reshape(Shape.of(35)), f32(5, 7));
    cases.add("scalar", new Reshape(Shape.SCALAR), f32(1, 1));
    cases.differentiable();
    cases.add("whole numbers", new Reshape(Shape.of(6, 1)), ids(9, 6));
    cases.fails("Reshape: f32[5, 7] has not the elements of [36]", new Reshape(Shape.of(36)), f32(5, 7));
    cases.fails("Reshape: expected 1 inputs, got 2", new Reshape(Shape.of(2)), f32(2), f32(2));
  }
}
