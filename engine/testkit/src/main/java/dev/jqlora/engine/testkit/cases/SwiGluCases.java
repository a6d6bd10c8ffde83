package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;

import dev.jqlora.engine.op.SwiGlu;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link SwiGlu}. */
final class SwiGluCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(8e-7, "an exponential, a quotient and two products"));
    cases.differentiable(0, 1);
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", new SwiGlu(), between(-4, 4, 1, n), f32(1, n));
    }
    cases.add("rows", new SwiGlu(), between(-4, 4, 3, 33), f32(3, 33));
    cases.add("saturated", new SwiGlu(), floats(-100, -80, -20, 20, 80, 100), floats(1, 1, 1, 1, 1, 1));
    cases.differentiable();
    cases.add("wide rows", new SwiGlu(), between(-4, 4, 3, 301), f32(3, 301));
    cases.add("wide rows in BF16", new SwiGlu(), between(-4, 4, 3, 301).inBf16(), bf16(3, 301));
    cases.add("in BF16", new SwiGlu(), between(-4, 4, 3, 33).inBf16(), bf16(3, 33));
    cases.add("no rows", new SwiGlu(), f32(0, 33), f32(0, 33));
    cases.fails("SwiGlu: up is f32[2, 4] but gate is f32[2, 3]", new SwiGlu(), f32(2, 3), f32(2, 4));
    cases.fails("SwiGlu: gate must be [F32, BF16], got f16[2, 3]", new SwiGlu(), f16(2, 3), f16(2, 3));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " mlp", new SwiGlu(), f32(model.tokens(), model.intermediate()),
          f32(model.tokens(), model.intermediate()));
    }
  }
}
