package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ints;
import static dev.jqlora.engine.testkit.Input.positions;

import dev.jqlora.engine.op.Rope;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Rope}. */
final class RopeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2.4e-7, "two products and a difference"));
    cases.differentiable(0);
    for (int headDim : new int[]{2, 14, 16, 18, 32}) {
      cases.add("head of " + headDim, new Rope(headDim, false), f32(5, 3 * headDim), positions(5),
          f32(9, headDim / 2), f32(9, headDim / 2));
    }
    cases.add("inverse", new Rope(16, true), f32(5, 32), positions(5), f32(5, 8), f32(5, 8));
    cases.add("several sequences", new Rope(8, false), f32(7, 8), positions(3, 1, 3), f32(3, 4), f32(3, 4));
    cases.add("one token, late", new Rope(8, false), f32(1, 16), ints(11), f32(12, 4), f32(12, 4));
    cases.differentiable();
    cases.add("wide rows", new Rope(128, false), f32(3, 1024), positions(1, 2), f32(2, 64), f32(2, 64));
    cases.add("wide rows in BF16", new Rope(50, false), bf16(3, 350), positions(3), f32(3, 25), f32(3, 25));
    cases.add("in BF16", new Rope(16, false), bf16(5, 32), positions(5), f32(5, 8), f32(5, 8));
    cases.add("inverse in BF16", new Rope(6, true), bf16(3, 18), positions(1, 2), f32(5, 3), f32(5, 3));
    cases.add("no tokens", new Rope(8, false), f32(0, 16), ints(), f32(5, 4), f32(5, 4));
    cases.fails("Rope: x must hold whole heads of an even width 3, got f32[2, 6]", new Rope(3, false), f32(2, 6),
        positions(2), f32(2, 1), f32(2, 1));
    cases.fails("Rope: cos must be [positions, 2], got f32[2, 4]", new Rope(4, false), f32(2, 8), positions(2),
        f32(2, 4), f32(2, 4));
    cases.fails("Rope: positions must have shape [2], got i32[3]", new Rope(4, false), f32(2, 8), positions(3),
        f32(3, 2), f32(3, 2));
    cases.fails("Rope: sin is f32[4, 2] but cos is f32[3, 2]", new Rope(4, false), f32(2, 8), positions(2), f32(3, 2),
        f32(4, 2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " q", new Rope(model.headDim(), false),
          f32(model.tokens(), model.heads() * model.headDim()), positions(model.tokens()),
          f32(model.tokens(), model.headDim() / 2), f32(model.tokens(), model.headDim() / 2));
    }
  }
}
