package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Scale}. */
final class ScaleCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2.4e-7, "two roundings, or one of a fused multiply-add"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Scale(-0.75f), f32(n));
    }
    cases.add("with offset", new Scale(3, -1), f32(5, 33));
    cases.differentiable();
    cases.add("no elements", new Scale(2), f32(0, 33));
    cases.fails("Scale: x must be [F32], got i32[2]", new Scale(2), ids(1, 2));
    cases.fails("Scale: expected 1 inputs, got 2", new Scale(2), f32(2), f32(2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " LoRA hidden", new Scale(2), f32(model.tokens(), 16));
    }
  }
}
