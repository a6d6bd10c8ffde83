package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link MatMul}. */
final class MatMulCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "sums of up to 300 products that may cancel"));
    cases.bf16Products(1, 300);
    cases.differentiable(0, 1);
    for (int n : new int[]{1, 5, 15, 16, 17}) {
      cases.add("linear layer of " + n, MatMul.NT, f32(3, n), f32(n + 2, n));
    }
    cases.add("NN", MatMul.NN, f32(7, 33), f32(33, 17));
    cases.add("TN", MatMul.TN, f32(33, 7), f32(33, 17));
    cases.add("TT", new MatMul(true, true), f32(33, 7), f32(17, 33));
    cases.add("vector", MatMul.NT, f32(1, 300), f32(19, 300));
    cases.add("outer product", MatMul.TN, f32(1, 19), f32(1, 33));
    cases.add("inner extent 1", MatMul.NT, f32(19, 1), f32(17, 1));
    cases.add("batch", MatMul.NT, f32(2, 3, 17), f32(2, 5, 17));
    cases.add("two batch axes", MatMul.NN, f32(2, 3, 4, 5), f32(2, 3, 5, 6));
    cases.add("batch TN", MatMul.TN, f32(3, 17, 4), f32(3, 17, 5));
    cases.add("past a block", MatMul.NT, f32(37, 65), f32(70, 65));
    cases.differentiable(0);
    cases.add("BF16 weight", MatMul.NT, f32(5, 33), bf16(17, 33));
    cases.add("BF16 right NN", MatMul.NN, f32(5, 33), bf16(33, 17));
    cases.add("F16 weight", MatMul.NT, f32(5, 33), f16(17, 33));
    cases.differentiable();
    cases.add("whole lines", MatMul.NT, f32(67, 100), f32(132, 100));
    cases.add("whole lines NN", MatMul.NN, f32(9, 36), f32(36, 132));
    cases.add("whole lines TN", MatMul.TN, f32(33, 68), f32(33, 132));
    cases.add("whole lines TT", new MatMul(true, true), f32(36, 8), f32(20, 36));
    cases.add("whole lines, batch", MatMul.NT, f32(2, 3, 20), f32(2, 5, 20));
    cases.add("whole lines, BF16 weight", MatMul.NT, f32(5, 40), bf16(24, 40));
    cases.add("whole lines, BF16 right NN", MatMul.NN, f32(5, 40), bf16(40, 136));
    cases.add("whole lines, F16 weight", MatMul.NT, f32(5, 40), f16(24, 40));
    cases.add("BF16: odd", MatMul.NT.giving(DType.BF16), bf16(5, 33), bf16(17, 33));
    cases.add("BF16: vector", MatMul.NT.giving(DType.BF16), bf16(1, 40), f32(24, 40));
    cases.add("BF16: whole lines", MatMul.NT.giving(DType.BF16), bf16(67, 104), bf16(136, 104));
    cases.add("BF16: by F32", MatMul.NT, bf16(35, 40), f32(24, 40));
    cases.add("BF16: by F32 NN", MatMul.NN, bf16(35, 40), f32(40, 12));
    cases.add("BF16: by F32 TN", MatMul.TN, bf16(33, 72), f32(33, 12));
    cases.add("BF16: F32 by BF16 TN", MatMul.TN, f32(33, 12), bf16(33, 72));
    cases.add("BF16: F32 to BF16 NN", MatMul.NN.giving(DType.BF16), f32(9, 36), f32(36, 132));
    cases.add("BF16: by F16", MatMul.NT.giving(DType.BF16), bf16(5, 40), f16(24, 40));
    for (MatMul op : new MatMul[]{MatMul.NT, MatMul.NN, MatMul.TN}) {
      cases.add(op + ", no rows", op, operand(op.transposeA(), 0, 20), operand(!op.transposeB(), 12, 20));
      cases.add(op + ", no columns", op, operand(op.transposeA(), 7, 20), operand(!op.transposeB(), 0, 20));
      cases.add(op + ", nothing to sum", op, operand(op.transposeA(), 7, 0), operand(!op.transposeB(), 12, 0));
      cases.add(op + ", one row, nothing to sum", op, operand(op.transposeA(), 1, 0), operand(!op.transposeB(), 12, 0));
    }
    cases.add("no matrices", MatMul.NT, f32(0, 3, 17), f32(0, 5, 17));
    cases.add("BF16: no rows", MatMul.NT.giving(DType.BF16), bf16(0, 40), f32(24, 40));
    cases.add("BF16: nothing to sum", MatMul.NT.giving(DType.BF16), bf16(7, 0), f32(24, 0));
    cases.fails("MatMul: inner extents differ: f32[2, 3] and f32[4, 5] transposed", MatMul.NT, f32(2, 3), f32(4, 5));
    cases.fails("MatMul: leading axes differ: f32[2, 3, 4] and f32[3, 4, 5]", MatMul.NN, f32(2, 3, 4), f32(3, 4, 5));
    cases.fails("MatMul: a and b must have equal ranks of at least 2, got f32[3] and f32[3]", MatMul.NN, f32(3),
        f32(3));
    cases.fails("MatMul: a must be [F32, BF16], got f16[2, 3]", MatMul.NT, f16(2, 3), f32(4, 3));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " q_proj in F32", MatMul.NT, f32(model.tokens(), model.hidden()),
          f32(model.heads() * model.headDim(), model.hidden()));
      cases.modelShape(model.name() + " q_proj in F32, input gradient", MatMul.NN,
          f32(model.tokens(), model.heads() * model.headDim()), f32(model.heads() * model.headDim(), model.hidden()));
      cases.modelShape(model.name() + " gradient of a LoRA matrix", MatMul.TN, f32(model.tokens(), 16),
          f32(model.tokens(), model.hidden()));
      cases.modelShape(model.name() + " gate_proj", MatMul.NT, f32(model.tokens(), model.hidden()),
          bf16(model.intermediate(), model.hidden()));
      cases.modelShape(model.name() + " gate_proj, one token", MatMul.NT, f32(1, model.hidden()),
          bf16(model.intermediate(), model.hidden()));
    }
  }

  /** A matrix of so many rows and columns, which is stored transposed or as it is. */
  private static Input operand(boolean transposed, int rows, int columns) {
    return transposed ? f32(columns, rows) : f32(rows, columns);
  }
}
