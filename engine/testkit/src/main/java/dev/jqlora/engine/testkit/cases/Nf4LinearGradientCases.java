package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link Nf4LinearGradient}. */
final class Nf4LinearGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "sums of up to 320 products that may cancel"));
    cases.bf16Products(1, 132);
    cases.differentiable(0);
    for (boolean nested : new boolean[]{false, true}) {
      String format = nested ? ", nested" : ", plain";
      add(cases, "blocks cross rows" + format, 5, 7, 33, 64, nested);
      add(cases, "odd element count" + format, 3, 15, 17, 32, nested);
      add(cases, "one element" + format, 1, 1, 1, 64, nested);
      add(cases, "one token" + format, 1, 70, 64, 64, nested);
      add(cases, "more than 256 blocks" + format, 2, 64, 320, 64, nested);
      add(cases, "many tokens" + format, 33, 48, 96, 64, nested);
    }
    cases.differentiable();
    add(cases, "whole lines", 67, 132, 160, 64, true);
    add(cases, "whole lines, blocks of 32", 5, 36, 96, 32, false);
    addInBf16(cases, "BF16: odd", 5, 7, 33, 64, false);
    addInBf16(cases, "BF16: one token", 1, 72, 64, 64, true);
    addInBf16(cases, "BF16: whole lines", 67, 136, 160, 64, true);
    cases.fails("Nf4LinearGradient: x must have shape [3, 64], got f32[3, 63]",
        () -> new Nf4LinearGradient(new Nf4Weight(64, 2, 64, false)),
        List.of(f32(3, 63), codes(64), f32(2)));
    cases.fails(
        "Nf4LinearGradient: the tensors of an NF4 weight [64, 2] must be [u8[64], f32[2]], got [u8[63], f32[2]]",
        () -> new Nf4LinearGradient(new Nf4Weight(64, 2, 64, false)), List.of(f32(3, 64), codes(63), f32(2)));
    for (ModelShape model : ModelShape.ALL) {
      for (int tokens : new int[]{1, model.tokens()}) {
        Nf4Weight weight = new Nf4Weight(model.intermediate(), model.hidden(), 64, true);
        cases.modelShape(model.name() + " gate_proj, " + tokens + " tokens", new Nf4LinearGradient(weight),
            inputs(weight, tokens));
      }
    }
  }

  private static void add(CaseList cases, String name, int n, int out, int in, int blockSize, boolean nested) {
    Nf4Weight weight = new Nf4Weight(out, in, blockSize, nested);
    cases.add(name, new Nf4LinearGradient(weight), inputs(weight, n));
  }

  private static void addInBf16(CaseList cases, String name, int n, int out, int in, int blockSize, boolean nested) {
    Nf4Weight weight = new Nf4Weight(out, in, blockSize, nested);
    List<Input> inputs = inputs(weight, n);
    inputs.set(0, inputs.getFirst().inBf16());
    cases.add(name, new Nf4LinearGradient(weight), inputs);
  }

  private static List<Input> inputs(Nf4Weight weight, int n) {
    List<Input> inputs = new ArrayList<>(List.of(f32(n, weight.out())));
    inputs.addAll(nf4(weight));
    return inputs;
  }
}
