package dev.jqlora.training.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AccuracyTest {
  @ParameterizedTest
  @CsvSource({"8, 10, 0.4901624715366418, 0.9433178485456248", "0, 10, 0, 0.2775327998628892",
      "10, 10, 0.7224672001371108, 1", "764, 1273, 0.5729847647210208, 0.6267267955814785"})
  void intervalIsWilsons(int correct, int n, double low, double high) {
    Accuracy.Interval interval = new Accuracy(n, correct).interval();
    assertEquals(low, interval.low(), 1e-12);
    assertEquals(high, interval.high(), 1e-12);
  }

  @Test
  void standardErrorIsTheHarness() {
    assertEquals(0.0137, new Accuracy(1273, 764).standardError().orElseThrow(), 5e-5);
    assertEquals(0.5, new Accuracy(2, 1).standardError().orElseThrow(), 1e-15);
    assertTrue(new Accuracy(1, 1).standardError().isEmpty());
  }

  @Test
  void impossibleCountsAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Accuracy(0, 0));
    assertThrows(IllegalArgumentException.class, () -> new Accuracy(3, 4));
  }

  @ParameterizedTest
  @CsvSource({"1, 9, 0.021484375", "9, 1, 0.021484375", "5, 5, 1", "0, 0, 1", "12, 30, 0.007915897334896727",
      "600, 700, 0.0060157938610449525"})
  void mcNemarIsExact(int onlyFirst, int onlySecond, double p) {
    assertEquals(p, new McNemar(onlyFirst, onlySecond).pValue(), 1e-15);
  }

  @Test
  void veryDifferentAnswersHaveAPositiveProbabilityWhereADoubleCanHoldIt() {
    assertEquals(Math.pow(2, -999), new McNemar(0, 1000).pValue(), 1e-310);
    assertEquals(0, new McNemar(0, 1300).pValue());
  }

  @Test
  void mcNemarCountsWhereAnswersDiffer() {
    assertEquals(new McNemar(1, 2), McNemar.of(List.of(true, true, false, false, false),
        List.of(true, false, true, true, false)));
  }
}
