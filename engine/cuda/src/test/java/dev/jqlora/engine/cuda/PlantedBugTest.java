package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.CaseRun;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The cases of an op fail where its kernel has a bug: {@code planted.cu} has one a kernel. */
class PlantedBugTest {
  /** What the first case that fails says, and what the driver complained of. */
  private static String firstFailure(String op) {
    CaseList cases = Objects.requireNonNull(CaseCatalogue.all().get(op)).ofBf16Products();
    for (CaseList.Case sample : cases.cases()) {
      try (CudaBackend backend = new CudaBackend(Precision.BF16); Session session = backend.open(Long.MAX_VALUE)) {
        new CaseRun(session, sample).check(cases);
      } catch (AssertionError | JqloraException e) {
        return e.getMessage() + "; " + TestDriver.complaint();
      }
    }
    return "none";
  }

  @ParameterizedTest
  @CsvSource({"wrong index, Rope, off by", "missing barrier, LinearArgMax, race on byte",
      "race, SumOfSquares, race on byte", "out of bounds, SwiGlu, reads 4 bytes",
      "wrong accumulate type, MatMul, factors rounded to bfloat16"})
  void theSuiteFindsIt(String bug, String op, String complaint) {
    TestDriver.use();
    TestDriver.plant(true);
    try {
      String failure = firstFailure(op);
      assertTrue(failure.contains(complaint), bug + ": " + failure);
    } finally {
      TestDriver.plant(false);
    }
  }
}
