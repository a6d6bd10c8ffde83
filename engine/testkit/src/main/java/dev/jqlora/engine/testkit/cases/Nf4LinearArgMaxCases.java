package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link Nf4LinearArgMax}; random logits lie further apart than their rounding. */
final class Nf4LinearArgMaxCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.I32, Tolerance.exact("an id"));
    for (boolean nested : new boolean[]{false, true}) {
      String format = nested ? ", nested" : ", plain";
      add(cases, "blocks cross rows" + format, 7, new Nf4Weight(33, 17, 64, nested));
      add(cases, "one row, more than 256 blocks" + format, 1, new Nf4Weight(70, 320, 64, nested));
      add(cases, "one id" + format, 3, new Nf4Weight(1, 8, 32, nested));
    }
    cases.fails("Nf4LinearArgMax: x must have shape [3, 64], got f32[3, 63]",
        () -> new Nf4LinearArgMax(new Nf4Weight(2, 64, 64, false)), List.of(f32(3, 63), codes(64), f32(2)));
    for (ModelShape model : ModelShape.ALL) {
      Nf4Weight head = new Nf4Weight(model.vocab() / 8, model.hidden(), 64, true);
      cases.modelShape(model.name() + " head, an eighth of the vocabulary", new Nf4LinearArgMax(head),
          inputs(64, head));
    }
  }

  private static void add(CaseList cases, String name, int n, Nf4Weight weight) {
    cases.add(name, new Nf4LinearArgMax(weight), inputs(n, weight));
  }

  private static List<Input> inputs(int n, Nf4Weight weight) {
    List<Input> inputs = new ArrayList<>(List.of(f32(n, weight.in())));
    inputs.addAll(nf4(weight));
    return inputs;
  }
}
