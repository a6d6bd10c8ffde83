package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Cast}. */
final class CastCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("every 16-bit number is a float32"));
    cases.tolerance(DType.BF16, Tolerance.exact("rounded to nearest even"));
    cases.tolerance(DType.F16, Tolerance.exact("rounded to nearest even"));
    cases.add("to BF16", new Cast(DType.BF16), f32(5, 33));
    cases.add("ties to even", new Cast(DType.BF16), floats(1.00390625f, 1.01171875f, -1.00390625f, 0, -0.0f));
    cases.add("to F16", new Cast(DType.F16), f32(17));
    cases.add("F16 subnormal", new Cast(DType.F16), floats(1e-7f, 6e-8f, 2.9e-8f, 65504, -1e-5f));
    cases.add("from BF16", new Cast(DType.F32), bf16(100));
    cases.add("from F16", new Cast(DType.F32), f16(100));
    cases.add("from I32", new Cast(DType.F32), ids(1 << 20, 17));
    cases.add("from U8", new Cast(DType.F32), codes(17));
    cases.fails("Cast: no cast from f32[2] to I32", new Cast(DType.I32), f32(2));
    cases.fails("Cast: no cast from u8[2] to BF16", new Cast(DType.BF16), codes(2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " carry to BF16", new Cast(DType.BF16), f32(model.tokens(), model.hidden()));
      cases.modelShape(model.name() + " carry from BF16", new Cast(DType.F32), bf16(model.tokens(), model.hidden()));
    }
  }
}
