package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.RmsNormGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link RmsNormGradient}. */
final class RmsNormGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "two sums over the row and a difference"));
    cases.differentiable(0, 1, 2);
    for (int width : new int[]{1, 7, 15, 16, 17, 100}) {
      cases.add("width " + width, new RmsNormGradient(1e-2f), f32(3, width), f32(width), f32(3, width));
    }
    cases.add("one row", new RmsNormGradient(1e-5f), f32(1, 33), f32(33), f32(1, 33));
    cases.differentiable();
    for (int width : new int[]{301, 1000}) {
      cases.add("width " + width, new RmsNormGradient(1e-2f), f32(3, width), f32(width), f32(3, width));
    }
    cases.add("dy in BF16, width 301", new RmsNormGradient(1e-5f), f32(3, 301), f32(301), bf16(3, 301));
    cases.add("dy in BF16", new RmsNormGradient(1e-5f), f32(3, 100), f32(100), bf16(3, 100));
    cases.add("no rows", new RmsNormGradient(1e-5f), f32(0, 33), f32(33), f32(0, 33));
    cases.fails("RmsNormGradient: dy is f32[3, 4] but x is f32[2, 4]", new RmsNormGradient(1e-5f), f32(2, 4), f32(4),
        f32(3, 4));
    cases.fails("RmsNorm: w must have shape [4], got f32[5]", new RmsNormGradient(1e-5f), f32(2, 4), f32(5),
        f32(2, 4));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " input_layernorm", new RmsNormGradient(1e-5f),
          f32(model.tokens(), model.hidden()), f32(model.hidden()), f32(model.tokens(), model.hidden()));
    }
  }
}
