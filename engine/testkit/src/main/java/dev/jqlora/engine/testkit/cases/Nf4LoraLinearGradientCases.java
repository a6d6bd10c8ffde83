package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4LoraLinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link Nf4LoraLinearGradient}. */
final class Nf4LoraLinearGradientCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(2e-6, "sums of up to 320 products that may cancel"));
    cases.bf16Products(1, 136);
    for (boolean accumulates : new boolean[]{false, true}) {
      String base = accumulates ? ", added to a gradient" : "";
      add(cases, "blocks cross rows" + base, 5, 4, new Nf4Weight(7, 33, 64, false), accumulates);
      add(cases, "odd element count, rank 3" + base, 3, 3, new Nf4Weight(15, 17, 32, true), accumulates);
      add(cases, "one token" + base, 1, 8, new Nf4Weight(70, 64, 64, true), accumulates);
      add(cases, "more than 256 blocks" + base, 2, 8, new Nf4Weight(64, 320, 64, true), accumulates);
      add(cases, "whole lines" + base, 67, 40, new Nf4Weight(132, 160, 64, true), accumulates);
      add(cases, "whole lines, blocks of 32" + base, 5, 16, new Nf4Weight(36, 96, 32, false), accumulates);
      addInBf16(cases, "BF16: odd" + base, 5, 4, new Nf4Weight(7, 33, 64, false), accumulates);
      addInBf16(cases, "BF16: odd rank" + base, 5, 3, new Nf4Weight(40, 96, 32, true), accumulates);
      addInBf16(cases, "BF16: whole lines" + base, 67, 40, new Nf4Weight(136, 160, 64, true), accumulates);
    }
    Nf4Weight weight = new Nf4Weight(2, 64, 64, false);
    cases.fails("Nf4LoraLinearGradient: a must have shape [4, 64], got f32[4, 63]",
        () -> new Nf4LoraLinearGradient(weight, false), List.of(f32(3, 2), codes(64), f32(2), f32(3, 4), f32(4, 63)));
    cases.fails("Nf4LoraLinearGradient: base must be f32[3, 64], got f32[3, 2]",
        () -> new Nf4LoraLinearGradient(weight, true),
        List.of(f32(3, 2), codes(64), f32(2), f32(3, 4), f32(4, 64), f32(3, 2)));
  }

  private static void add(CaseList cases, String name, int n, int rank, Nf4Weight weight, boolean accumulates) {
    cases.add(name, new Nf4LoraLinearGradient(weight, accumulates), inputs(weight, n, rank, accumulates));
  }

  private static void addInBf16(CaseList cases, String name, int n, int rank, Nf4Weight weight, boolean accumulates) {
    List<Input> inputs = inputs(weight, n, rank, accumulates);
    inputs.set(0, inputs.getFirst().inBf16());
    if (accumulates) {
      inputs.set(inputs.size() - 1, inputs.getLast().inBf16());
    }
    cases.add(name, new Nf4LoraLinearGradient(weight, accumulates), inputs);
  }

  private static List<Input> inputs(Nf4Weight weight, int n, int rank, boolean accumulates) {
    List<Input> inputs = new ArrayList<>(List.of(f32(n, weight.out())));
    inputs.addAll(nf4(weight));
    inputs.addAll(List.of(f32(n, rank), f32(rank, weight.in())));
    if (accumulates) {
      inputs.add(f32(n, weight.in()));
    }
    return inputs;
  }
}
