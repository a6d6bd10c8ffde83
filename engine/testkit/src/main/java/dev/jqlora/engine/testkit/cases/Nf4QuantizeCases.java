package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;

import dev.jqlora.engine.op.Nf4Quantize;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Nf4Quantize}. */
final class Nf4QuantizeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("the largest of magnitudes"));
    for (int n : new int[]{1, 63, 64, 65, 1000}) {
      cases.add(n + " numbers", new Nf4Quantize(64), f32(n));
    }
    cases.add("small blocks", new Nf4Quantize(32), f32(333));
    cases.add("large blocks", new Nf4Quantize(4096), f32(5000));
    cases.add("BF16", new Nf4Quantize(64), bf16(700));
    cases.add("F16", new Nf4Quantize(64), f16(700));
    cases.add("zeros", new Nf4Quantize(32), floats(new float[70]));
    cases.add("no finite reciprocal", new Nf4Quantize(32), floats(1e-40f, -3e-40f, 2.9e-39f, -0.0f, 1e-45f));
    cases.add("at thresholds", new Nf4Quantize(64), floats(thresholds()));
    cases.fails("Nf4Quantize: x must be [F32, BF16, F16], got u8[64]", new Nf4Quantize(64), codes(64));
    cases.fails("Nf4Quantize: x must have rank 1, got f32[2, 64]", new Nf4Quantize(64), f32(2, 64));
  }

  /** Halfway points between values, which take the lower code, and their neighbours; 1 sets the scale. */
  private static float[] thresholds() {
    float[] numbers = new float[46];
    for (int i = 0; i < 15; i++) {
      float threshold = (Nf4.value(i) + Nf4.value(i + 1)) / 2;
      numbers[3 * i] = Math.nextDown(threshold);
      numbers[3 * i + 1] = threshold;
      numbers[3 * i + 2] = Math.nextUp(threshold);
    }
    numbers[45] = 1;
    return numbers;
  }
}
