package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;

import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Multiply}. */
final class MultiplyCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1.2e-7, "one rounding"));
    cases.differentiable(0, 1);
    for (int n : new int[]{1, 7, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Multiply(), f32(n), f32(n));
    }
    cases.add("rows", new Multiply(), f32(5, 33), f32(33));
    cases.add("column", new Multiply(), f32(5, 33), f32(5, 1));
    cases.add("heads", new Multiply(), f32(3, 2, 5), f32(3, 1, 5));
    cases.add("scalar", new Multiply(), f32(3, 17), f32());
    cases.differentiable();
    cases.add("not finite", new Multiply(), floats(Float.NaN, 1, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY),
        floats(1, Float.NaN, 0, 2));
    cases.add("in BF16", new Multiply(), bf16(5, 33), bf16(5, 33));
    cases.add("BF16 by F32", new Multiply(), bf16(5, 33), f32(33));
    cases.add("no elements", new Multiply(), f32(0, 33), f32(0, 33));
    cases.fails("Multiply: expected 2 inputs, got 3", new Multiply(), f32(2), f32(2), f32(2));
    cases.fails("Multiply: [2, 3] and [2] cannot be broadcast together", new Multiply(), f32(2, 3), f32(2));
    cases.fails("Multiply: element types differ: f32[2] and f16[2]", new Multiply(), f32(2), f16(2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " gradient by the loss's", new Multiply(), f32(model.tokens(), model.hidden()),
          f32());
    }
  }
}
