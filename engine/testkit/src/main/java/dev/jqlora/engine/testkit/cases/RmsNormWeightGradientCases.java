package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link RmsNormWeightGradient}. */
final class RmsNormWeightGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "a sum over the rows of products with a root"));
    cases.differentiable(0, 1);
    for (int width : new int[]{1, 7, 15, 16, 17, 100}) {
      cases.add("width " + width, new RmsNormWeightGradient(1e-2f), f32(5, width), f32(5, width));
    }
    cases.add("one row", new RmsNormWeightGradient(1e-5f), f32(1, 33), f32(1, 33));
    cases.differentiable();
    for (int width : new int[]{301, 1000}) {
      cases.add("width " + width, new RmsNormWeightGradient(1e-2f), f32(5, width), f32(5, width));
    }
    cases.add("300 rows", new RmsNormWeightGradient(1e-2f), f32(300, 3), f32(300, 3));
    cases.add("dy in BF16", new RmsNormWeightGradient(1e-5f), f32(5, 33), bf16(5, 33));
    cases.add("no rows", new RmsNormWeightGradient(1e-5f), f32(0, 33), f32(0, 33));
    cases.fails("RmsNormWeightGradient: dy is f32[3, 4] but x is f32[2, 4]", new RmsNormWeightGradient(1e-5f),
        f32(2, 4), f32(3, 4));
    cases.fails("RmsNormWeightGradient: x must have rank 2, got f32[4]", new RmsNormWeightGradient(1e-5f), f32(4),
        f32(4));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " input_layernorm", new RmsNormWeightGradient(1e-5f),
          f32(model.tokens(), model.hidden()), f32(model.tokens(), model.hidden()));
    }
  }
}
