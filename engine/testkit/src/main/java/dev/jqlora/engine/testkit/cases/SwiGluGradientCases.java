package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;

import dev.jqlora.engine.op.SwiGluGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link SwiGluGradient}. */
final class SwiGluGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-6, "an exponential, a quotient and sums of products"));
    cases.differentiable(0, 1, 2).lossOutputs(0, 1);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new SwiGluGradient(), between(-4, 4, 1, n), f32(1, n), f32(1, n));
    }
    cases.add("rows", new SwiGluGradient(), between(-4, 4, 3, 33), f32(3, 33), f32(3, 33));
    cases.add("saturated", new SwiGluGradient(), floats(-100, -20, 20, 100), floats(1, 1, 1, 1), floats(1, 1, 1, 1));
    cases.differentiable();
    cases.add("wide rows", new SwiGluGradient(), between(-4, 4, 3, 301), f32(3, 301), f32(3, 301));
    cases.add("in BF16", new SwiGluGradient(), between(-4, 4, 3, 33).inBf16(), bf16(3, 33), bf16(3, 33));
    cases.add("no rows", new SwiGluGradient(), f32(0, 33), f32(0, 33), f32(0, 33));
    cases.fails("SwiGluGradient: dy is f32[2, 4] but gate is f32[2, 3]", new SwiGluGradient(), f32(2, 3), f32(2, 3),
        f32(2, 4));
    cases.fails("SwiGlu: up is f32[2, 4] but gate is f32[2, 3]", new SwiGluGradient(), f32(2, 3), f32(2, 4),
        f32(2, 3));
    for (ModelShape model : ModelShape.ALL) {
      Input x = f32(model.tokens(), model.intermediate());
      cases.modelShape(model.name() + " mlp", new SwiGluGradient(), x, x, x);
    }
  }
}
