package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4LoraLinear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link Nf4LoraLinear}. */
final class Nf4LoraLinearCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "sums of up to 320 products that may cancel"));
    cases.bf16Products(2, 320);
    for (boolean nested : new boolean[]{false, true}) {
      String format = nested ? ", nested" : ", plain";
      add(cases, "blocks cross rows" + format, 5, 4, new Nf4Weight(7, 33, 64, nested));
      add(cases, "odd element count, rank 3" + format, 3, 3, new Nf4Weight(15, 17, 32, nested));
      add(cases, "one token" + format, 1, 8, new Nf4Weight(70, 64, 64, nested));
      add(cases, "more than 256 blocks" + format, 2, 8, new Nf4Weight(64, 320, 64, nested));
    }
    add(cases, "whole lines", 67, 40, new Nf4Weight(132, 160, 64, true));
    add(cases, "whole lines, blocks of 32", 5, 16, new Nf4Weight(36, 96, 32, false));
    addInBf16(cases, "BF16: odd", 5, 4, new Nf4Weight(7, 33, 64, false));
    addInBf16(cases, "BF16: odd rank", 5, 3, new Nf4Weight(36, 96, 32, true));
    addInBf16(cases, "BF16: whole lines", 67, 40, new Nf4Weight(132, 160, 64, true));
    Nf4Weight weight = new Nf4Weight(2, 64, 64, false);
    cases.fails("Nf4LoraLinear: z must be f32[3, 64] like x, got f32[2, 64]", () -> new Nf4LoraLinear(weight, 1),
        List.of(f32(3, 64), codes(64), f32(2), f32(2, 64), f32(4, 64), f32(2, 4)));
    cases.fails("Nf4LoraLinear: z must be f32[3, 64] like x, got bf16[3, 64]", () -> new Nf4LoraLinear(weight, 1),
        List.of(f32(3, 64), codes(64), f32(2), bf16(3, 64), f32(4, 64), f32(2, 4)));
    cases.fails("Nf4LoraLinear: b must have shape [2, 4], got f32[4, 2]", () -> new Nf4LoraLinear(weight, 1),
        List.of(f32(3, 64), codes(64), f32(2), f32(3, 64), f32(4, 64), f32(4, 2)));
  }

  private static void add(CaseList cases, String name, int n, int rank, Nf4Weight weight) {
    cases.add(name, new Nf4LoraLinear(weight, 1.5f), inputs(weight, n, rank));
  }

  private static void addInBf16(CaseList cases, String name, int n, int rank, Nf4Weight weight) {
    List<Input> inputs = inputs(weight, n, rank);
    int z = 1 + weight.inputs();
    inputs.set(0, inputs.getFirst().inBf16());
    inputs.set(z, inputs.get(z).inBf16());
    cases.add(name, new Nf4LoraLinear(weight, 1.5f), inputs);
  }

  private static List<Input> inputs(Nf4Weight weight, int n, int rank) {
    List<Input> inputs = new ArrayList<>(List.of(f32(n, weight.in())));
    inputs.addAll(nf4(weight));
    inputs.addAll(List.of(f32(n, weight.in()), f32(rank, weight.in()), f32(weight.out(), rank)));
    return inputs;
  }
}
