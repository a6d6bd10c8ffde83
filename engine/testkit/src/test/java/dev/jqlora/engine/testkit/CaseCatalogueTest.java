package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CaseCatalogueTest {
  /** A scan that finds less has gone wrong. */
  private static final int OPS = 41;
  private static final int CASES = 250;
  private static final int MISFITS = 90;

  @Test
  void everyOpHasCasesAndNothingElseHas() {
    assertEquals(CaseCatalogue.ops(), List.copyOf(CaseCatalogue.all().keySet()),
        "an op X in engine/core has a class XCases in the testkit's package cases");
  }

  @Test
  void theScanFindsEnough() {
    assertTrue(CaseCatalogue.ops().size() >= OPS, () -> "only " + CaseCatalogue.ops());
    int cases = CaseCatalogue.all().values().stream().mapToInt(list -> list.cases().size()).sum();
    assertTrue(cases >= CASES, () -> "only " + cases + " cases");
    int misfits = CaseCatalogue.all().values().stream().mapToInt(list -> list.misfits().size()).sum();
    assertTrue(misfits >= MISFITS, () -> "only " + misfits + " misfits");
  }

  @Test
  void casesAreOfTheirOpAndHaveNamesOfTheirOwn() {
    CaseCatalogue.all().forEach((op, list) -> {
      assertFalse(list.cases().isEmpty(), op);
      assertFalse(list.misfits().isEmpty(), op);
      Set<String> names = new HashSet<>();
      list.cases().forEach(sample -> {
        assertEquals(op, sample.op().name(), sample.name());
        assertTrue(names.add(sample.name()), op + ": two cases are named " + sample.name());
        sample.op().infer(sample.types()).forEach(type -> list.tolerance(type.dtype()));
      });
    });
  }

  @Test
  void modelShapesFitTheirOps() {
    CaseCatalogue.all().values().stream().flatMap(list -> list.modelShapes().stream())
        .forEach(shape -> assertFalse(shape.op().infer(shape.types()).isEmpty(), shape.name()));
  }
}
