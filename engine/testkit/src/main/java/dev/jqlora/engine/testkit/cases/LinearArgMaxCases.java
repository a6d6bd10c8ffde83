package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.whole;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
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
    for (int n : new int[]{1, 7}) {
      cases.add("many equal logits, rows: " + n, new LinearArgMax(), whole(-2, 2, n, 3), whole(-1, 1, 601, 3));
      cases.add("equal logits far apart, rows: " + n, new LinearArgMax(), whole(1, 3, n, 16), equalRows());
      cases.add("equal logits far apart, BF16 head, rows: " + n, new LinearArgMax(), whole(1, 3, n, 16),
          equalRows().inBf16());
      cases.add("all logits equal, rows: " + n, new LinearArgMax(), whole(1, 3, n, 4), between(0, 0, 600, 4));
    }
    cases.add("a row of NaN", new LinearArgMax(), f32(3, 17).with(20, Double.NaN), f32(300, 17));
    cases.add("one row, of NaN", new LinearArgMax(), f32(1, 17).with(2, Double.NaN), f32(300, 17));
    cases.add("NaN for one id", new LinearArgMax(), whole(1, 3, 3, 16), equalRows().with(257 * 16, Double.NaN));
    cases.add("no rows", new LinearArgMax(), f32(0, 17), f32(33, 17));
    cases.fails("LinearArgMax: w must have shape [5, 8], got f32[5, 7]", new LinearArgMax(), f32(2, 8), f32(5, 7));
    cases.fails("LinearArgMax: w must be [F32, BF16, F16], got i32[5]", new LinearArgMax(), f32(2, 8), ids(3, 5));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " head, an eighth of the vocabulary", new LinearArgMax(),
          f32(64, model.hidden()), bf16(model.vocab() / 8, model.hidden()));
    }
  }

  /** Of 400 rows of a head those that give the largest logits, for positive x, are equal: 100, 100 + 64 and 100 + 256. */
  private static Input equalRows() {
    Input head = whole(-1, 1, 400, 16);
    for (int id : new int[]{100, 164, 356}) {
      for (int i = 0; i < 16; i++) {
        head = head.with(id * 16 + i, 2);
      }
    }
    return head;
  }
}
