package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.DoubleQuantize;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link DoubleQuantize}. */
final class DoubleQuantizeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32,
        Tolerance.exact("a mean of float64 sums in a fixed order, differences and their largest"));
    for (int blocks : new int[]{1, 255, 256, 257, 1000}) {
      cases.add(blocks + " blocks", new DoubleQuantize(), between(0.01, 0.1, blocks));
    }
    cases.add("all equal", new DoubleQuantize(), floats(0.25f, 0.25f, 0.25f));
    cases.add("far apart", new DoubleQuantize(), floats(1e30f, 1e-30f, 3f, 0f, 1e-45f));
    cases.fails("DoubleQuantize: absmax must be [F32], got i32[3]", new DoubleQuantize(), ids(4, 3));
    cases.fails("DoubleQuantize: absmax must have rank 1, got f32[2, 3]", new DoubleQuantize(), f32(2, 3));
  }
}
