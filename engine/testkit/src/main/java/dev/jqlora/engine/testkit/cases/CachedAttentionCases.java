package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** Cases of {@link CachedAttention}. */
final class CachedAttentionCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(4e-6, "sums over the keys of rounded exponentials"));
    cases.bf16Products(2, 128);
    cases.differentiable(0, 1, 2);
    cases.add("first token", new CachedAttention(2, 1, 4), inputs(2, 1, 4, 9, 0));
    cases.add("one token, late", new CachedAttention(4, 2, 8), inputs(4, 2, 8, 33, 20));
    cases.add("full cache", new CachedAttention(2, 2, 16), inputs(2, 2, 16, 17, 16));
    cases.add("a prompt", new CachedAttention(4, 1, 6), inputs(4, 1, 6, 20, 3, 4, 5, 6, 7));
    cases.differentiable();
    cases.add("one token, heads of 128", new CachedAttention(4, 2, 128), inputs(4, 2, 128, 70, 66));
    cases.add("heads of 128", new CachedAttention(2, 1, 128), inputs(2, 1, 128, 40, 30, 31, 32, 33, 34));
    cases.add("a long prompt", new CachedAttention(2, 1, 8),
        inputs(2, 1, 8, 140, IntStream.range(60, 130).toArray()));
    cases.add("a long prompt, from the start", new CachedAttention(1, 1, 64),
        inputs(1, 1, 64, 67, IntStream.range(0, 66).toArray()));
    for (int[] positions : new int[][]{{20}, {18, 19, 20}}) {
      List<Input> inputs = new ArrayList<>(inputs(2, 1, 4, 21, positions));
      inputs.set(2, inputs.get(2).with(1, Double.NaN));
      cases.add("NaN in the first value, new tokens: " + positions.length, new CachedAttention(2, 1, 4), inputs);
    }
    cases.add("no new tokens", new CachedAttention(2, 1, 4), inputs(2, 1, 4, 9));
    cases.fails("CachedAttention: values are f32[8, 4] but keys are f32[9, 4]", new CachedAttention(2, 1, 4),
        f32(1, 8), f32(9, 4), f32(8, 4), ids(1, 1));
    cases.fails("CachedAttention: positions must have shape [1], got i32[2]", new CachedAttention(2, 1, 4), f32(1, 8),
        f32(9, 4), f32(9, 4), ids(1, 2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " one token of " + model.tokens(),
          new CachedAttention(model.heads(), model.kvHeads(), model.headDim()),
          inputs(model.heads(), model.kvHeads(), model.headDim(), model.tokens(), model.tokens() - 1));
    }
  }

  private static List<Input> inputs(int heads, int kvHeads, int headDim, int capacity, int... positions) {
    Input cache = between(-2, 2, capacity, kvHeads * headDim);
    return List.of(between(-2, 2, positions.length, heads * headDim), cache, cache, ints(positions));
  }
}
