package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.scalar;

import dev.jqlora.engine.op.Nf4Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Nf4Absmax}. */
final class Nf4AbsmaxCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("a rounded product and a rounded sum, as the format defines"));
    for (int blocks : new int[]{1, 255, 256, 257, 600}) {
      cases.add(blocks + " blocks", new Nf4Absmax(), codes(blocks), f32(256),
          between(0.01, 0.1, (blocks + 255) / 256), scalar(0.05f));
    }
    cases.fails("Nf4Absmax: nested absmax must have shape [2], got f32[1]", new Nf4Absmax(), codes(257), f32(256),
        f32(1), f32());
    cases.fails("Nf4Absmax: map must have shape [256], got f32[16]", new Nf4Absmax(), codes(3), f32(16), f32(1),
        f32());
  }
}
