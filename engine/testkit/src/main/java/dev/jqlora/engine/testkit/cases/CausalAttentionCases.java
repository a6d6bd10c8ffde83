package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.starts;

import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Cases of {@link CausalAttention}. */
final class CausalAttentionCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(4e-6, "sums over the keys of rounded exponentials"));
    cases.bf16Products(2, 128);
    cases.differentiable(0, 1, 2);
    add(cases, "one token", 2, 1, 4, 1);
    add(cases, "one head", 1, 1, 16, 5);
    add(cases, "grouped", 4, 2, 8, 17);
    add(cases, "all heads share", 6, 1, 6, 15);
    add(cases, "no sharing", 3, 3, 18, 16);
    add(cases, "several sequences", 4, 2, 8, 3, 1, 9, 4);
    add(cases, "past a block of keys", 2, 1, 4, 70);
    add(cases, "long sequence behind short ones", 2, 1, 4, 2, 40, 1);
    cases.differentiable();
    add(cases, "heads of 36", 2, 2, 36, 5, 60, 33);
    add(cases, "heads of 64", 2, 1, 64, 66);
    add(cases, "heads of 128", 3, 1, 128, 2, 35);
    add(cases, "borders of blocks", 2, 1, 8, 16, 16, 32, 64, 5);
    add(cases, "more than 128 tokens", 1, 1, 16, 131);
    CausalAttention op = new CausalAttention(2, 1, 4);
    List<Input> inputs = inputs(2, 1, 4, 70);
    cases.add("NaN in the first value", op, replaced(inputs, 2, inputs.get(2).with(1, Double.NaN)));
    cases.add("infinity in the first value", op, replaced(inputs, 2, inputs.get(2).with(3, Double.POSITIVE_INFINITY)));
    cases.add("NaN in one query", op, replaced(inputs, 0, inputs.get(0).with(8 * 40 + 5, Double.NaN)));
    cases.add("NaN in the first key", op, replaced(inputs, 1, inputs.get(1).with(2, Double.NaN)));
    addInBf16(cases, "BF16: borders of blocks", 1, 1, 64, 16, 16, 32, 64, 5);
    addInBf16(cases, "BF16: odd heads", 2, 1, 6, 5);
    addInBf16(cases, "BF16: heads of 8", 4, 2, 8, 3, 1, 9, 4);
    addInBf16(cases, "BF16: heads of 64", 2, 1, 64, 66);
    addInBf16(cases, "BF16: heads of 128", 3, 1, 128, 2, 35);
    cases.fails("CausalAttention: k is f32[5, 4] but q is bf16[5, 8]", new CausalAttention(2, 1, 4), bf16(5, 8),
        f32(5, 4), f32(5, 4), starts(5));
    cases.fails("CausalAttention: 3 heads cannot share 2 key-value heads", new CausalAttention(3, 2, 4), f32(5, 12),
        f32(5, 8), f32(5, 8), starts(5));
    cases.fails("CausalAttention: q must have shape [5, 8], got f32[5, 12]", new CausalAttention(2, 1, 4), f32(5, 12),
        f32(5, 4), f32(5, 4), starts(5));
    cases.fails("CausalAttention: v must have shape [5, 4], got f32[6, 4]", new CausalAttention(2, 1, 4), f32(5, 8),
        f32(5, 4), f32(6, 4), starts(5));
    cases.fails("CausalAttention: start must have shape [5], got i32[4]", new CausalAttention(2, 1, 4), f32(5, 8),
        f32(5, 4), f32(5, 4), starts(4));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " one sequence",
          new CausalAttention(model.heads(), model.kvHeads(), model.headDim()),
          inputs(model.heads(), model.kvHeads(), model.headDim(), model.tokens()));
    }
  }

  private static void add(CaseList cases, String name, int heads, int kvHeads, int headDim, int... lengths) {
    cases.add(name, new CausalAttention(heads, kvHeads, headDim), inputs(heads, kvHeads, headDim, lengths));
  }

  private static void addInBf16(CaseList cases, String name, int heads, int kvHeads, int headDim, int... lengths) {
    cases.add(name, new CausalAttention(heads, kvHeads, headDim), inputs(heads, kvHeads, headDim, lengths).stream()
        .map(input -> input.type().dtype() == DType.F32 ? input.inBf16() : input).toList());
  }

  private static List<Input> replaced(List<Input> inputs, int index, Input input) {
    List<Input> others = new ArrayList<>(inputs);
    others.set(index, input);
    return others;
  }

  private static List<Input> inputs(int heads, int kvHeads, int headDim, int... lengths) {
    int n = Arrays.stream(lengths).sum();
    Input k = between(-2, 2, n, kvHeads * headDim);
    return List.of(between(-2, 2, n, heads * headDim), k, k, starts(lengths));
  }
}
