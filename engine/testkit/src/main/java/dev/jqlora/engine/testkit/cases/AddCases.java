package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Add}. */
final class AddCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1.2e-7, "one rounding"));
    cases.differentiable(0, 1);
    for (int n : new int[]{1, 7, 15, 16, 17, 100}) {
      cases.add(n + " elements", new Add(), f32(n), f32(n));
    }
    cases.add("rows", new Add(), f32(5, 33), f32(5, 33));
    cases.add("bias", new Add(), f32(5, 33), f32(33));
    cases.add("column", new Add(), f32(5, 33), f32(5, 1));
    cases.add("outer", new Add(), f32(5, 1), f32(1, 33));
    cases.add("scalar", new Add(), f32(), f32(3, 17));
    cases.add("middle axis", new Add(), f32(3, 1, 5), f32(3, 4, 5));
    cases.differentiable();
    cases.add("1,050,001 elements", new Add(), f32(1_050_001), f32(1_050_001));
    cases.add("not finite", new Add(), floats(Float.NaN, 1, Float.POSITIVE_INFINITY, Float.POSITIVE_INFINITY),
        floats(1, Float.NaN, Float.NEGATIVE_INFINITY, 1));
    cases.add("in BF16", new Add(), bf16(5, 33), bf16(5, 33));
    cases.add("BF16 to F32", new Add(), f32(5, 33), bf16(5, 33));
    cases.add("F32 to BF16", new Add(), bf16(5, 33), f32(5, 33));
    cases.add("bias in BF16", new Add(), bf16(5, 33), bf16(33));
    cases.add("no elements", new Add(), f32(0, 33), f32(0, 33));
    cases.add("no elements and a scalar", new Add(), f32(0), f32());
    cases.fails("Add: expected 2 inputs, got 1", new Add(), f32(2));
    cases.fails("Add: [2, 3] and [4] cannot be broadcast together", new Add(), f32(2, 3), f32(4));
    cases.fails("Add: element types differ: f32[2] and i32[2]", new Add(), f32(2), ids(1, 2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " residual", new Add(), f32(model.tokens(), model.hidden()),
          f32(model.tokens(), model.hidden()));
    }
  }
}
