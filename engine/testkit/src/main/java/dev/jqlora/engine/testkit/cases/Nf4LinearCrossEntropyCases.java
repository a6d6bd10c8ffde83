package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;
import static dev.jqlora.engine.testkit.Input.labels;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link Nf4LinearCrossEntropy}. */
final class Nf4LinearCrossEntropyCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.ofLargest(4e-6, "sums over the vocabulary of rounded exponentials"));
    cases.bf16Products(2, 320);
    for (boolean nested : new boolean[]{false, true}) {
      Nf4Weight crossing = new Nf4Weight(33, 17, 64, nested);
      Nf4Weight many = new Nf4Weight(70, 320, 64, nested);
      String format = nested ? ", nested" : ", plain";
      cases.differentiable();
      cases.add("loss alone" + format, new Nf4LinearCrossEntropy(crossing, false), inputs(crossing, 7, labels(33, 7)));
      cases.differentiable(0);
      cases.add("blocks cross rows" + format, new Nf4LinearCrossEntropy(crossing, true),
          inputs(crossing, 7, labels(33, 7)));
      cases.add("one token, more than 256 blocks" + format, new Nf4LinearCrossEntropy(many, true),
          inputs(many, 1, ints(69)));
      cases.add("all labels ignored" + format, new Nf4LinearCrossEntropy(many, true),
          inputs(many, 3, ints(-100, -100, -100)));
    }
    cases.differentiable();
    Nf4Weight lines = new Nf4Weight(136, 64, 64, true);
    cases.add("whole lines", new Nf4LinearCrossEntropy(lines, true), inputs(lines, 5, labels(136, 5)));
    List<Input> broken = new ArrayList<>(inputs(lines, 2, ints(3, 135)));
    broken.set(0, broken.getFirst().with(70, Double.NaN));
    cases.add("NaN in one row", new Nf4LinearCrossEntropy(lines, true), broken);
    Nf4Weight weight = new Nf4Weight(2, 64, 64, false);
    cases.fails("Nf4LinearCrossEntropy: x must have shape [3, 64], got f32[3, 63]",
        () -> new Nf4LinearCrossEntropy(weight, true), List.of(f32(3, 63), codes(64), f32(2), ids(2, 3)));
    cases.fails("Nf4LinearCrossEntropy: labels must have shape [3], got i32[2]",
        () -> new Nf4LinearCrossEntropy(weight, true), List.of(f32(3, 64), codes(64), f32(2), ids(2, 2)));
    cases.fails("Nf4LinearCrossEntropy: labels must be [I32], got f32[3]",
        () -> new Nf4LinearCrossEntropy(weight, true), List.of(f32(3, 64), codes(64), f32(2), f32(3)));
    ModelShape model = ModelShape.LLAMA_3_2_1B;
    Nf4Weight head = new Nf4Weight(model.vocab(), model.hidden(), 64, true);
    cases.modelShape(model.name() + " head, 64 tokens", new Nf4LinearCrossEntropy(head, true),
        inputs(head, 64, labels(model.vocab(), 64)));
  }

  private static List<Input> inputs(Nf4Weight weight, int n, Input labels) {
    List<Input> inputs = new ArrayList<>(List.of(f32(n, weight.in())));
    inputs.addAll(nf4(weight));
    inputs.add(labels);
    return inputs;
  }
}
