package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.oneOf;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.Dropout;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;

/** Cases of {@link Dropout}. */
final class DropoutCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1.8e-7, "a product with a rounded reciprocal, or a quotient"));
    cases.differentiable(0);
    for (int n : new int[]{1, 15, 16, 17, 1000}) {
      cases.add(n + " elements", new Dropout(0.1f, 0), f32(n), oneOf(42, -9, 1), oneOf(3, 0, 31));
    }
    cases.add("nothing is dropped", new Dropout(0, 1), f32(5, 33), scalar(1), scalar(0));
    cases.add("most is dropped", new Dropout(0.95f, 2), f32(5, 33), scalar(-7), scalar(31));
    cases.differentiable();
    cases.add("in BF16", new Dropout(0.3f, 2), bf16(5, 33), oneOf(42, -9, 1), oneOf(3, 0, 31));
    cases.add("no elements", new Dropout(0.5f, 0), f32(0, 33), scalar(1), scalar(2));
    cases.fails("a dropout probability must be at least 0 and below 1, got 1.0", () -> new Dropout(1, 0), List.of());
    cases.fails("a dropout probability must be at least 0 and below 1, got NaN", () -> new Dropout(Float.NaN, 0),
        List.of());
    cases.fails("Dropout: seed must be an I32 scalar, got i32[1]", new Dropout(0.5f, 0), f32(3), ids(1, 1),
        scalar(0));
    cases.fails("Dropout: x must be [F32, BF16], got f16[3]", new Dropout(0.5f, 0), f16(3), scalar(0), scalar(0));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " lora_dropout", new Dropout(0.05f, 0), f32(model.tokens(), model.hidden()),
          scalar(42), scalar(3));
    }
  }
}
