package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Fill}. */
final class FillCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("the number, rounded"));
    cases.tolerance(DType.BF16, Tolerance.exact("the number, rounded"));
    cases.tolerance(DType.F16, Tolerance.exact("the number, rounded"));
    cases.add("zeros", new Fill(TensorType.f32(5, 17), 0));
    cases.add("scalar", new Fill(TensorType.f32(), 1));
    cases.add("whole numbers", new Fill(TensorType.i32(15), -7));
    cases.add("codes", new Fill(TensorType.u8(33), 127));
    cases.add("in BF16", new Fill(new TensorType(DType.BF16, Shape.of(17)), 1.005));
    cases.add("in F16", new Fill(new TensorType(DType.F16, Shape.of(3, 5)), -0.1));
    cases.add("large whole number", new Fill(TensorType.i32(301), (1 << 24) + 1));
    cases.add("infinity", new Fill(TensorType.f32(17), Double.NEGATIVE_INFINITY));
    cases.add("no elements", new Fill(TensorType.f32(3, 0), 1));
    cases.fails("Fill: expected 0 inputs, got 1", new Fill(TensorType.f32(2), 0), f32(2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " zeros of a LoRA matrix of 16 layers",
          new Fill(TensorType.f32(16, 16, model.hidden()), 0));
    }
  }
}
