package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link LinearArgMax}; random logits lie further apart than their rounding. */
final class LinearArgMaxCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.I32, Tolerance.exact("an id"));
    for (int n : new int[]{1, 2, 7}) {
      cases.add("rows: " + n, new LinearArgMax(), f32(n, 17), f32(33, 17));
    }
    cases.add("one id", new LinearArgMax(), f32(3, 8), f32(1, 8));
    cases.add("BF16 head", new LinearArgMax(), f32(5, 16), bf16(100, 16));
    cases.fails("LinearArgMax: w must have shape [5, 8], got f32[5, 7]", new LinearArgMax(), f32(2, 8), f32(5, 7));
    cases.fails("LinearArgMax: w must be [F32, BF16, F16], got i32[5]", new LinearArgMax(), f32(2, 8), ids(3, 5));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " head, an eighth of the vocabulary", new LinearArgMax(),
          f32(64, model.hidden()), bf16(model.vocab() / 8, model.hidden()));
    }
  }
}
