package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;

import dev.jqlora.engine.op.EmbeddingGradient;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link EmbeddingGradient}. */
final class EmbeddingGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(1e-6, "sums over equal ids"));
    cases.differentiable(1);
    for (int width : new int[]{1, 15, 16, 17}) {
      cases.add("width " + width, new EmbeddingGradient(11), ids(11, 7), f32(7, width));
    }
    cases.add("many rows", new EmbeddingGradient(600), ids(600, 40), f32(40, 17));
    cases.add("wide rows", new EmbeddingGradient(5), ids(5, 300), f32(300, 301));
    cases.add("all ids equal", new EmbeddingGradient(3), ints(2, 2, 2, 2), f32(4, 33));
    cases.add("no tokens", new EmbeddingGradient(5), ints(), f32(0, 33));
    cases.fails("EmbeddingGradient: i32[3] ids for f32[4, 5] rows", new EmbeddingGradient(9), ids(9, 3), f32(4, 5));
    cases.fails("EmbeddingGradient: dy must be [F32], got bf16[3, 5]", new EmbeddingGradient(9), ids(9, 3),
        bf16(3, 5));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " embed_tokens", new EmbeddingGradient(model.vocab() / 8),
          ids(model.vocab() / 8, model.tokens()), f32(model.tokens(), model.hidden()));
    }
  }
}
