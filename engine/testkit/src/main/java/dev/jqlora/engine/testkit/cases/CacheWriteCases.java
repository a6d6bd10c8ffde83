package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.oneOf;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.CacheWrite;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link CacheWrite}. */
final class CacheWriteCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.add("first row", new CacheWrite(), f32(5, 7), f32(1, 7), scalar(0));
    cases.add("last row", new CacheWrite(), f32(5, 17), f32(1, 17), scalar(4));
    cases.add("a prompt", new CacheWrite(), f32(9, 16), f32(4, 16), oneOf(3, 0, 5));
    cases.add("the whole cache", new CacheWrite(), f32(3, 15), f32(3, 15), scalar(0));
    cases.fails("CacheWrite: rows f32[6, 7] do not fit cache f32[5, 7]", new CacheWrite(), f32(5, 7), f32(6, 7),
        scalar(0));
    cases.fails("CacheWrite: position must have rank 0, got i32[1]", new CacheWrite(), f32(5, 7), f32(1, 7),
        ids(1, 1));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " keys of one token", new CacheWrite(), f32(model.tokens(), model.kvWidth()),
          f32(1, model.kvWidth()), scalar(model.tokens() - 1));
    }
  }
}
