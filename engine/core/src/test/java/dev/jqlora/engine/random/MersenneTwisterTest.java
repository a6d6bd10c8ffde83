package dev.jqlora.engine.random;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class MersenneTwisterTest {
  @Test
  void drawsTheReferenceSequence() {
    var random = new MersenneTwister(5489);
    long[] first = IntStream.range(0, 5).mapToLong(i -> Integer.toUnsignedLong(random.nextBits())).toArray();
    assertArrayEquals(new long[]{3499211612L, 581869302L, 3890346734L, 3586334585L, 545404204L}, first);
    for (int i = 5; i < 9999; i++) {
      random.nextBits();
    }
    assertEquals(4123659995L, Integer.toUnsignedLong(random.nextBits()), "the 10,000th, as the C++ standard states it");
  }

  @Test
  void permutesAsTorchDoes() {
    assertArrayEquals(new int[]{2, 6, 1, 8, 4, 5, 0, 9, 3, 7}, MersenneTwister.permutation(10, 42));
    assertArrayEquals(new int[]{8, 4, 9, 0, 5, 1, 6, 7, 2, 3}, MersenneTwister.permutation(10, 43));
    assertArrayEquals(new int[]{0}, MersenneTwister.permutation(1, 42));
    assertArrayEquals(new int[]{}, MersenneTwister.permutation(0, 42));
  }

  @Test
  void aPermutationHoldsEachIndexOnce() {
    int[] order = MersenneTwister.permutation(1273, 7);
    Arrays.sort(order);
    assertArrayEquals(IntStream.range(0, 1273).toArray(), order);
  }

  @Test
  void floatsLieBelowOne() {
    var random = new MersenneTwister(0);
    double sum = 0;
    for (int i = 0; i < 10_000; i++) {
      float value = random.nextFloat();
      assertEquals(true, value >= 0 && value < 1);
      sum += value;
    }
    assertEquals(0.5, sum / 10_000, 0.01);
  }
}
