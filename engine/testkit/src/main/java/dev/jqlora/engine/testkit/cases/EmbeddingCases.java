package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;

import dev.jqlora.engine.op.Embedding;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Embedding}. */
final class EmbeddingCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("copies"));
    cases.differentiable(0);
    for (int width : new int[]{1, 15, 16, 17}) {
      cases.add("width " + width, new Embedding(), f32(11, width), ids(11, 7));
    }
    cases.add("one row", new Embedding(), f32(1, 33), ids(1, 3));
    cases.add("first and last row", new Embedding(), f32(5, 8), ints(0, 4, 4, 0));
    cases.differentiable();
    cases.add("wide rows", new Embedding(), f32(600, 301), ids(600, 7));
    cases.add("BF16 table, wide rows", new Embedding(), bf16(5, 1000), ids(5, 7));
    cases.add("BF16 table", new Embedding(), bf16(11, 33), ids(11, 5));
    cases.add("F16 table", new Embedding(), f16(11, 33), ids(11, 5));
    cases.add("no tokens", new Embedding(), f32(5, 33), ints());
    cases.fails("Embedding: table must have rank 2, got f32[3]", new Embedding(), f32(3), ids(1, 2));
    cases.fails("Embedding: ids must be [I32], got f32[2]", new Embedding(), f32(3, 4), f32(2));
    cases.fails("Embedding: ids must have rank 1, got i32[2, 2]", new Embedding(), f32(3, 4), ids(1, 2, 2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " embed_tokens", new Embedding(), bf16(model.vocab(), model.hidden()),
          ids(model.vocab(), model.tokens()));
    }
  }
}
