package dev.jqlora.llama.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.OneLineError;
import java.util.BitSet;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class SamplerTest {
  private static final BitSet NOTHING = new BitSet();

  private static int greedy(double penalty, BitSet seen, float... logits) {
    return new Sampler(new Sampling(0, 0, 1, penalty, 0)).next(logits, seen);
  }

  private static double[] frequencies(Sampling sampling, int draws, float... logits) {
    Sampler sampler = new Sampler(sampling);
    double[] counts = new double[logits.length];
    for (int i = 0; i < draws; i++) {
      counts[sampler.next(logits.clone(), NOTHING)] += 1.0 / draws;
    }
    return counts;
  }

  private static Set<Integer> chosen(Sampling sampling, float... logits) {
    double[] frequencies = frequencies(sampling, 2_000, logits);
    Set<Integer> chosen = new TreeSet<>();
    for (int i = 0; i < frequencies.length; i++) {
      if (frequencies[i] > 0) {
        chosen.add(i);
      }
    }
    return chosen;
  }

  @Test
  void temperatureZeroTakesTheFirstOfTheLargest() {
    assertEquals(1, greedy(1, NOTHING, -1, 3, 3, 2));
  }

  @Test
  void penaltyDividesPositiveAndMultipliesNegativeLogits() {
    BitSet seen = new BitSet();
    seen.set(0);
    assertEquals(1, greedy(2, seen, 3, 2, 0));
    assertEquals(0, greedy(2, seen, 5, 2, 0));
    assertEquals(2, greedy(2, seen, -1, -3, -1.5f));
    assertEquals(0, greedy(1, seen, 3, 2, 0));
  }

  @Test
  void frequenciesAreTheSoftmaxOfTheDividedLogits() {
    float[] logits = {0, (float) Math.log(2), (float) Math.log(5)};
    double[] plain = frequencies(new Sampling(1, 0, 1, 1, 7), 40_000, logits);
    assertEquals(1 / 8.0, plain[0], 0.01);
    assertEquals(2 / 8.0, plain[1], 0.01);
    double[] sharper = frequencies(new Sampling(0.5, 0, 1, 1, 7), 40_000, logits);
    assertEquals(1 / 30.0, sharper[0], 0.01);
    assertEquals(25 / 30.0, sharper[2], 0.01);
  }

  @Test
  void topKKeepsTheLikeliestAndTheirEquals() {
    assertEquals(Set.of(2, 3), chosen(new Sampling(1, 2, 1, 1, 1), 0, 1, 2, 2, -5));
    assertEquals(Set.of(1, 2, 3), chosen(new Sampling(1, 3, 1, 1, 1), 0, 1, 2, 2, -5));
    assertEquals(Set.of(0, 1, 2), chosen(new Sampling(1, 2, 1, 1, 1), 1, 2, 1, -1));
    assertEquals(Set.of(0, 1), chosen(new Sampling(1, 9, 1, 1, 1), 1, 1));
  }

  @Test
  void topPKeepsTheSmallestSetThatReachesIt() {
    float[] logits = {(float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.15), (float) Math.log(0.05)};
    assertEquals(Set.of(0), chosen(new Sampling(1, 0, 0.4, 1, 1), logits));
    assertEquals(Set.of(0, 1), chosen(new Sampling(1, 0, 0.6, 1, 1), logits));
    assertEquals(Set.of(0, 1, 2), chosen(new Sampling(1, 0, 0.9, 1, 1), logits));
    assertEquals(Set.of(0), chosen(new Sampling(1, 0, 1e-9, 1, 1), logits));
  }

  @Test
  void topPCountsProbabilitiesAfterTemperatureAndTopK() {
    float[] logits = {(float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2)};
    // Of the two that top-k leaves, the first alone has 0.625.
    assertEquals(Set.of(0), chosen(new Sampling(1, 2, 0.6, 1, 1), logits));
    // At half the temperature the first has 0.66 of all.
    assertEquals(Set.of(0), chosen(new Sampling(0.5, 0, 0.6, 1, 1), logits));
  }

  @Test
  void negativeLogitsAreOrderedToo() {
    assertEquals(Set.of(1), chosen(new Sampling(1, 1, 1, 1, 1), -3, -1, -2));
    assertEquals(Set.of(0, 1), chosen(new Sampling(1, 1, 1, 1, 1), -0f, 0f, -2));
  }

  @Test
  void aSeedDecidesTheStream() {
    float[] logits = new float[100];
    Sampler first = new Sampler(new Sampling(1, 0, 1, 1, 42));
    Sampler second = new Sampler(new Sampling(1, 0, 1, 1, 42));
    Sampler other = new Sampler(new Sampling(1, 0, 1, 1, 43));
    boolean differs = false;
    for (int i = 0; i < 20; i++) {
      int id = first.next(logits.clone(), NOTHING);
      assertEquals(id, second.next(logits.clone(), NOTHING));
      differs |= id != other.next(logits.clone(), NOTHING);
    }
    assertTrue(differs);
  }

  @Test
  void logitsThatAreNoNumbersAreAnError() {
    for (float bad : new float[]{Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      assertEquals(Kind.NUMERICS, OneLineError.assertThrown(() -> greedy(1, NOTHING, 1, bad, 2), "logits").kind());
    }
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Sampling(-1, 0, 1, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(1, -1, 1, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(1, 0, 0, 1, 0));
    assertThrows(IllegalArgumentException.class, () -> new Sampling(1, 0, 1, Double.NaN, 0));
  }
}
