package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.starts;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Cases of {@link CausalAttentionGradient}. */
final class CausalAttentionGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-5, "differences of products of rounded exponentials"));
    cases.bf16Products(3, 128);
    add(cases, "one token", 2, 1, 4, 1);
    add(cases, "one head", 1, 1, 16, 5);
    add(cases, "grouped", 4, 2, 8, 17);
    add(cases, "all heads share", 6, 1, 6, 15);
    add(cases, "several sequences", 4, 2, 8, 3, 1, 9, 4);
    add(cases, "past a block of keys", 2, 1, 4, 70);
    add(cases, "long sequence behind short ones", 2, 1, 4, 2, 40, 1);
    cases.differentiable();
    add(cases, "heads of 36", 2, 2, 36, 5, 60, 33);
    add(cases, "heads of 64", 2, 1, 64, 66);
    add(cases, "heads of 128", 3, 1, 128, 2, 35);
    add(cases, "borders of blocks", 1, 1, 6, 16, 16, 32, 64, 5);
    addInBf16(cases, "BF16: borders of blocks", 1, 1, 8, 16, 16, 32, 64, 5);
    addInBf16(cases, "BF16: odd heads", 2, 1, 6, 5);
    addInBf16(cases, "BF16: heads of 8", 4, 2, 8, 3, 1, 9, 4);
    addInBf16(cases, "BF16: heads of 64", 2, 1, 64, 66);
    addInBf16(cases, "BF16: heads of 128", 3, 1, 128, 2, 35);
    add(cases, "no tokens", 2, 1, 4);
    cases.fails("CausalAttentionGradient: dout is f32[5, 8] but q is bf16[5, 8]", new CausalAttentionGradient(2, 1, 4),
        bf16(5, 8), bf16(5, 4), bf16(5, 4), starts(5), bf16(5, 8), f32(5, 2), f32(5, 8));
    cases.fails("CausalAttentionGradient: logsumexp must have shape [5, 2], got f32[5, 1]",
        new CausalAttentionGradient(2, 1, 4), f32(5, 8), f32(5, 4), f32(5, 4), starts(5), f32(5, 8), f32(5, 1),
        f32(5, 8));
    cases.fails("CausalAttentionGradient: dout must have shape [5, 8], got f32[5, 4]",
        new CausalAttentionGradient(2, 1, 4), f32(5, 8), f32(5, 4), f32(5, 4), starts(5), f32(5, 8), f32(5, 2),
        f32(5, 4));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " one sequence",
          new CausalAttentionGradient(model.heads(), model.kvHeads(), model.headDim()),
          inputs(model.heads(), model.kvHeads(), model.headDim(), model.tokens()));
    }
  }

  private static void add(CaseList cases, String name, int heads, int kvHeads, int headDim, int... lengths) {
    cases.add(name, new CausalAttentionGradient(heads, kvHeads, headDim), inputs(heads, kvHeads, headDim, lengths));
  }

  private static void addInBf16(CaseList cases, String name, int heads, int kvHeads, int headDim, int... lengths) {
    List<Input> inputs = new ArrayList<>(inputs(heads, kvHeads, headDim, lengths));
    for (int activation : new int[]{0, 1, 2, 4, 6}) {
      inputs.set(activation, inputs.get(activation).inBf16());
    }
    cases.add(name, new CausalAttentionGradient(heads, kvHeads, headDim), inputs);
  }

  /** The logsumexp is a little above that of any row, so that probabilities sum to less than 1 but stay of its size. */
  private static List<Input> inputs(int heads, int kvHeads, int headDim, int... lengths) {
    int n = Arrays.stream(lengths).sum();
    Input q = f32(n, heads * headDim);
    Input k = f32(n, kvHeads * headDim);
    return List.of(q, k, k, starts(lengths), q, between(2, 4, n, heads), q);
  }
}
