package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import org.junit.jupiter.api.Test;

class ToleranceTest {
  private static final Tolerance EXACT = Tolerance.exact("test");
  private static final List<Tolerance> ALL = List.of(EXACT, Tolerance.ofElement(0.1, "test"),
      Tolerance.ofLargest(0.1, "test"), Tolerance.ofLargest(0.1, "test").storedInBf16());

  private static Array64 array(double... values) {
    return new Array64(TensorType.f32(values.length), values);
  }

  private static void assertRefused(Tolerance tolerance, Array64 expected, Array64 actual) {
    assertThrows(AssertionError.class, () -> tolerance.check("x", expected, actual));
  }

  @Test
  void whatIsNotFiniteAgreesWithItselfAlone() {
    double[] special = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1};
    for (Tolerance tolerance : ALL) {
      for (double right : special) {
        tolerance.check("x", array(right), array(right));
        for (double value : special) {
          if (Double.compare(right, value) != 0) {
            assertRefused(tolerance, array(right), array(value));
          }
        }
      }
    }
  }

  @Test
  void whatIsNotFiniteMakesNoRoomForOthers() {
    Array64 expected = array(Double.NaN, 1, Double.POSITIVE_INFINITY);
    ALL.forEach(tolerance -> assertRefused(tolerance, expected, array(Double.NaN, 2, Double.POSITIVE_INFINITY)));
    ALL.subList(1, ALL.size())
        .forEach(tolerance -> tolerance.check("x", expected, array(Double.NaN, 1.09, Double.POSITIVE_INFINITY)));
  }

  @Test
  void zeroHasASignWhereResultsAreExact() {
    assertRefused(EXACT, array(0), array(-0.0));
    ALL.subList(1, ALL.size()).forEach(tolerance -> tolerance.check("x", array(0), array(-0.0)));
  }
}
