package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;

/** Cases of {@link AdamW}. */
final class AdamWCases implements OpCases {
  private static final AdamW OP = new AdamW(0.9, 0.999, 1e-8);

  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-6, "a root, a quotient and four products"));
    for (int n : new int[]{1, 15, 16, 17, 100}) {
      cases.add(n + " elements", OP, inputs(1, n));
    }
    cases.add("stacked", OP, inputs(3, 33));
    cases.add("first step", OP, f32(2, 5), f32(2, 5), between(0, 0, 2, 5), between(0, 0, 2, 5),
        floats(-1e-2f, 0.0316f, 1), scalar(1f));
    cases.fails("AdamW: input 2 is f32[4] but the parameter is f32[3]", OP, f32(3), f32(3), f32(4), f32(3), f32(3),
        f32());
    cases.fails("AdamW: rates must be F32 [3], got f32[2]", OP, f32(3), f32(3), f32(3), f32(3), f32(2), f32());
    cases.fails("AdamW: scale must be an F32 scalar, got f32[1]", OP, f32(3), f32(3), f32(3), f32(3), f32(3), f32(1));
    cases.modelShape("16 layers of a LoRA matrix of rank 16", OP, inputs(16, 16 * 2048));
  }

  private static List<Input> inputs(int count, int size) {
    return List.of(f32(count, size), f32(count, size), f32(count, size), between(0.01, 1, count, size),
        floats(-1e-3f, 0.9f, 0.999f), between(0.25, 1));
  }
}
