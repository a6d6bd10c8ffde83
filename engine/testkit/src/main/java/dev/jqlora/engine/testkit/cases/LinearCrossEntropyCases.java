package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;
import static dev.jqlora.engine.testkit.Input.labels;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link LinearCrossEntropy}. */
final class LinearCrossEntropyCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(4e-6, "sums over the vocabulary of rounded exponentials"));
    cases.bf16Products(2, 136);
    for (boolean gradients : new boolean[]{false, true}) {
      LinearCrossEntropy op = new LinearCrossEntropy(gradients, gradients);
      cases.differentiable(gradients ? new int[]{0, 1} : new int[0]);
      String what = gradients ? ", with gradients" : "";
      cases.add("one token" + what, op, f32(1, 8), f32(5, 8), ints(3));
      cases.add("some labels ignored" + what, op, f32(7, 17), f32(33, 17), labels(33, 7));
      cases.add("all labels ignored" + what, op, f32(3, 16), f32(15, 16), ints(-100, -100, -100));
      cases.add("first and last id" + what, op, f32(2, 15), f32(70, 15), ints(0, 69));
      cases.add("large logits" + what, op, between(-9, 9, 5, 16), between(-9, 9, 16, 16), labels(16, 5));
    }
    cases.add("one id, with gradients", new LinearCrossEntropy(true, true), f32(2, 4), f32(1, 4), ints(0, -100));
    cases.differentiable(0);
    cases.add("gradient by x alone", new LinearCrossEntropy(true, false), f32(5, 33), f32(17, 33), labels(17, 5));
    cases.differentiable(1);
    cases.add("gradient by w alone", new LinearCrossEntropy(false, true), f32(5, 33), f32(17, 33), labels(17, 5));
    cases.differentiable(0);
    cases.add("BF16 head", new LinearCrossEntropy(true, false), f32(5, 33), bf16(40, 33), labels(40, 5));
    cases.add("F16 head", new LinearCrossEntropy(true, false), f32(5, 33), f16(40, 33), labels(40, 5));
    cases.differentiable();
    cases.add("600 ids", new LinearCrossEntropy(true, true), f32(4, 8), f32(601, 8), ints(600, 255, -100, 256));
    cases.add("600 ids, BF16 head", new LinearCrossEntropy(true, false), f32(2, 8), bf16(600, 8), labels(600, 2));
    cases.add("NaN in one row", new LinearCrossEntropy(true, false), f32(3, 16).with(20, Double.NaN), f32(40, 16),
        ints(3, 39, 7));
    cases.add("infinity in one row", new LinearCrossEntropy(true, false), f32(3, 16).with(20, Double.POSITIVE_INFINITY),
        f32(40, 16), ints(3, 39, 7));
    cases.add("NaN in the head", new LinearCrossEntropy(true, false), f32(3, 16), f32(40, 16).with(520, Double.NaN),
        ints(3, 39, 7));
    cases.add("whole lines", new LinearCrossEntropy(true, true), f32(68, 20), f32(36, 20), labels(36, 68));
    cases.add("whole lines, BF16 head", new LinearCrossEntropy(true, false), f32(6, 40), bf16(136, 40), labels(136, 6));
    cases.add("no tokens", new LinearCrossEntropy(true, true), f32(0, 20), f32(12, 20), ints());
    cases.fails("LinearCrossEntropy: w must have shape [5, 8], got f32[5, 7]", new LinearCrossEntropy(true, false),
        f32(2, 8), f32(5, 7), ids(5, 2));
    cases.fails("LinearCrossEntropy: labels must have shape [2], got i32[3]", new LinearCrossEntropy(true, false),
        f32(2, 8), f32(5, 8), ids(5, 3));
    cases.fails("LinearCrossEntropy: labels must be [I32], got f32[2]", new LinearCrossEntropy(true, false),
        f32(2, 8), f32(5, 8), f32(2));
    cases.modelShape(ModelShape.LLAMA_3_2_1B.name() + " head, 64 tokens", new LinearCrossEntropy(true, false),
        f32(64, ModelShape.LLAMA_3_2_1B.hidden()),
        bf16(ModelShape.LLAMA_3_2_1B.vocab(), ModelShape.LLAMA_3_2_1B.hidden()),
        labels(ModelShape.LLAMA_3_2_1B.vocab(), 64));
  }
}
