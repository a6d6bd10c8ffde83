package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.RmsNorm;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link RmsNorm}. */
final class RmsNormCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-6, "a mean over the row, a root and three products"));
    cases.differentiable(0, 1);
    for (int width : new int[]{1, 7, 15, 16, 17, 64, 100}) {
      cases.add("width " + width, new RmsNorm(1e-5f), f32(3, width), f32(width));
    }
    cases.add("one row", new RmsNorm(1e-5f), f32(1, 33), f32(33));
    cases.add("small numbers, where epsilon counts", new RmsNorm(1e-5f), between(-1e-3, 1e-3, 2, 17), f32(17));
    cases.differentiable();
    for (int width : new int[]{301, 1000}) {
      cases.add("width " + width, new RmsNorm(1e-5f), f32(3, width), f32(width));
      cases.add("y in BF16, width " + width, new RmsNorm(1e-5f, DType.BF16), f32(3, width), f32(width));
    }
    cases.add("a row of NaN", new RmsNorm(1e-5f), f32(3, 301).with(302, Double.NaN), f32(301));
    cases.add("y in BF16", new RmsNorm(1e-5f, DType.BF16), f32(3, 100), f32(100));
    cases.add("y in BF16, odd width", new RmsNorm(1e-5f, DType.BF16), f32(3, 17), f32(17));
    cases.add("no rows", new RmsNorm(1e-5f), f32(0, 33), f32(33));
    cases.fails("RmsNorm: y must be [F32, BF16], got f16[2, 4]", new RmsNorm(1e-5f, DType.F16), f32(2, 4), f32(4));
    cases.fails("RmsNorm: w must have shape [4], got f32[5]", new RmsNorm(1e-5f), f32(2, 4), f32(5));
    cases.fails("RmsNorm: x must have rank 2, got f32[4]", new RmsNorm(1e-5f), f32(4), f32(4));
    cases.fails("RmsNorm: x must be [F32], got bf16[2, 4]", new RmsNorm(1e-5f), bf16(2, 4), f32(4));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " input_layernorm", new RmsNorm(1e-5f), f32(model.tokens(), model.hidden()),
          f32(model.hidden()));
    }
  }
}
