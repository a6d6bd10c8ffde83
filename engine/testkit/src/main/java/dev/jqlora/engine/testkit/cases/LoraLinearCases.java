package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.List;

/** Cases of {@link LoraLinear}. */
final class LoraLinearCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "two matrix products one after the other"));
    cases.bf16Products(2, 64);
    cases.differentiable(0, 1, 2, 3);
    add(cases, "rank 1", 0.5f, 5, 7, 9, 1);
    add(cases, "rank 8", 2, 5, 33, 17, 8);
    add(cases, "one token", 1, 1, 16, 15, 4);
    add(cases, "rank 17", 0.25f, 3, 64, 65, 17);
    cases.differentiable();
    add(cases, "whole lines", 2, 66, 36, 132, 8);
    addInBf16(cases, "BF16: odd", 0.5f, 5, 7, 9, 1);
    addInBf16(cases, "BF16: whole lines", 2, 66, 40, 136, 8);
    add(cases, "no tokens", 2, 0, 36, 20, 8);
    cases.fails("LoraLinear: x is f32[2, 4] but base is bf16[2, 3]", new LoraLinear(1), bf16(2, 3), f32(2, 4),
        f32(2, 4),
        f32(3, 2));
    cases.fails("LoraLinear: b must have shape [3, 2], got f32[3, 1]", new LoraLinear(1), f32(2, 3), f32(2, 4),
        f32(2, 4), f32(3, 1));
    cases.fails("LoraLinear: a must have shape [2, 4], got f32[2, 5]", new LoraLinear(1), f32(2, 3), f32(2, 4),
        f32(2, 5), f32(3, 2));
    cases.fails("LoraLinear: base must have shape [2, 3], got f32[1, 3]", new LoraLinear(1), f32(1, 3), f32(2, 4),
        f32(2, 4), f32(3, 2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " gate_proj, rank 16", new LoraLinear(2),
          inputs(model.tokens(), model.hidden(), model.intermediate(), 16));
    }
  }

  private static void add(CaseList cases, String name, float scale, int n, int in, int out, int rank) {
    cases.add(name, new LoraLinear(scale), inputs(n, in, out, rank));
  }

  private static void addInBf16(CaseList cases, String name, float scale, int n, int in, int out, int rank) {
    cases.add(name, new LoraLinear(scale), bf16(n, out), bf16(n, in), f32(rank, in), f32(out, rank));
  }

  private static List<Input> inputs(int n, int in, int out, int rank) {
    return List.of(f32(n, out), f32(n, in), f32(rank, in), f32(out, rank));
  }
}
