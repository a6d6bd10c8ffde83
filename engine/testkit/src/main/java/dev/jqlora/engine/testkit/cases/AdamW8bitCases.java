package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;

/** Cases of {@link AdamW8bit}. */
final class AdamW8bitCases implements OpCases {
  private static final Input RATES = floats(-1e-3f, 0.9f, 0.999f);

  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("the rules name every rounding"));
    for (int n : new int[]{1, 255, 256, 257, 700}) {
      cases.add(n + " elements", op(1), inputs(1, n));
    }
    cases.add("blocks start anew at each of 3 tensors", op(3), inputs(3, 300));
    cases.add("gradients that are not finite", op(1), f32(5),
        floats(Float.NaN, Float.POSITIVE_INFINITY, 1, 0, Float.NEGATIVE_INFINITY), codes(5), between(0.1, 1, 1, 1),
        codes(5), between(0.1, 1, 1, 1), RATES, scalar(1f));
    cases.add("zero moments and gradients", op(1), f32(1, 17), between(0, 0, 1, 17), codes(1, 17),
        between(0, 0, 1, 1), codes(1, 17), between(0, 0, 1, 1), RATES, scalar(1f));
    cases.fails("AdamW8bit: f32[5] is not 2 tensors", op(2), f32(5), f32(5), codes(5), f32(2, 1), codes(5), f32(2, 1),
        f32(3), f32());
    cases.fails("AdamW8bit: absmax must be f32[1, 2], got f32[1, 1]", op(1), f32(1, 300), f32(1, 300), codes(1, 300),
        f32(1, 1), codes(1, 300), f32(1, 2), f32(3), f32());
    cases.fails("AdamW8bit: codes must be U8 [1, 3], got f32[1, 3]", op(1), f32(1, 3), f32(1, 3), f32(1, 3),
        f32(1, 1), codes(1, 3), f32(1, 1), f32(3), f32());
    cases.fails("AdamW8bit: the gradient is f32[1, 4] but the parameter is f32[1, 3]", op(1), f32(1, 3), f32(1, 4),
        codes(1, 3), f32(1, 1), codes(1, 3), f32(1, 1), f32(3), f32());
    cases.modelShape("16 layers of a LoRA matrix of rank 16", op(16), inputs(16, 16 * 2048));
  }

  private static AdamW8bit op(int count) {
    return new AdamW8bit(count, 0.9, 0.999, 1e-8);
  }

  private static List<Input> inputs(int count, int size) {
    int blocks = (size + 255) / 256;
    return List.of(f32(count, size), f32(count, size), codes(count, size), between(0.01, 1, count, blocks),
        codes(count, size), between(0.01, 1, count, blocks), RATES, between(0.25, 1));
  }
}
