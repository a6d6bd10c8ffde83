package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.f32;

import dev.jqlora.engine.op.Iota;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;

/** Cases of {@link Iota}. */
final class IotaCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    for (int n : new int[]{1, 15, 16, 17}) {
      cases.add(n + " long", new Iota(n));
    }
    cases.fails("Iota: expected 0 inputs, got 1", new Iota(2), f32(2));
  }
}
