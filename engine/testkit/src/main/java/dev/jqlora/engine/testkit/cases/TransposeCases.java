package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Transpose;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;

/** Cases of {@link Transpose}. */
final class TransposeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.differentiable(0);
    cases.add("matrix", new Transpose(List.of(1, 0)), f32(17, 5));
    cases.add("row", new Transpose(List.of(1, 0)), f32(1, 16));
    cases.add("heads", new Transpose(List.of(1, 0, 2)), f32(5, 3, 8));
    cases.add("turn", new Transpose(List.of(2, 0, 1)), f32(2, 3, 5));
    cases.add("four axes", new Transpose(List.of(0, 2, 1, 3)), f32(2, 3, 4, 5));
    cases.add("nothing", new Transpose(List.of(0, 1)), f32(4, 3));
    cases.fails("Transpose: [0, 0] is no order of the axes of f32[2, 3]", new Transpose(List.of(0, 0)), f32(2, 3));
    cases.fails("Transpose: [1, 0] is no order of the axes of f32[2, 3, 4]", new Transpose(List.of(1, 0)),
        f32(2, 3, 4));
  }
}
