package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link SumOfSquares}. */
final class SumOfSquaresCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofElement(1e-6, "a sum of positive terms"));
    for (int n : new int[]{1, 15, 16, 17, 5000}) {
      cases.add(n + " elements", new SumOfSquares(), f32(n));
    }
    cases.add("1,100,001 elements", new SumOfSquares(), f32(1_100_001));
    for (double value : new double[]{Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e30}) {
      cases.add("one of 5,000 is " + value, new SumOfSquares(), f32(5000).with(4999, value));
      cases.add("one of 17 is " + value, new SumOfSquares(), f32(17).with(3, value));
    }
    cases.add("NaN and infinity", new SumOfSquares(),
        f32(100).with(1, Double.NaN).with(50, Double.POSITIVE_INFINITY));
    cases.add("stacked", new SumOfSquares(), f32(3, 5, 7));
    cases.add("no elements", new SumOfSquares(), f32(0));
    cases.fails("SumOfSquares: x must be [F32], got bf16[3]", new SumOfSquares(), bf16(3));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " gradient of a LoRA matrix of 16 layers", new SumOfSquares(),
          f32(16, 16, model.hidden()));
    }
  }
}
