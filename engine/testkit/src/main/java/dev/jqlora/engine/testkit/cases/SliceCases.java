package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Slice;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Slice}. */
final class SliceCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.differentiable(0);
    cases.add("first rows", new Slice(0, 0, 2), f32(5, 7));
    cases.add("last rows", new Slice(0, 3, 2), f32(5, 7));
    cases.add("columns", new Slice(1, 2, 17), f32(5, 33));
    cases.add("middle axis", new Slice(1, 1, 2), f32(3, 4, 5));
    cases.add("all", new Slice(0, 0, 5), f32(5));
    cases.differentiable();
    cases.add("codes", new Slice(0, 3, 7), codes(16));
    cases.fails("Slice: axis 0 from 4, 2 long, is not within f32[5]", new Slice(0, 4, 2), f32(5));
    cases.fails("Slice: axis 1 from 0, 1 long, is not within f32[5]", new Slice(1, 0, 1), f32(5));
  }
}
