package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.error.JqloraException;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchPlanTest {
  private static int[][] update(BatchPlan plan, int update) {
    return plan.update(update).toArray(int[][]::new);
  }

  @Test
  void followsTheOrderOfEachEpoch() {
    var plan = new BatchPlan(10, 2, 2, false, true, 42);
    assertEquals(5, plan.batchesPerEpoch());
    assertEquals(3, plan.updatesPerEpoch());
    assertArrayEquals(new int[][]{{2, 6}, {1, 8}}, update(plan, 0));
    assertArrayEquals(new int[][]{{4, 5}, {0, 9}}, update(plan, 1));
    assertArrayEquals(new int[][]{{3, 7}}, update(plan, 2), "the last accumulation of an epoch is short");
    assertArrayEquals(new int[][]{{8, 4}, {9, 0}}, update(plan, 3));
  }

  @Test
  void anyUpdateMayBeAskedFirst() {
    var whole = new BatchPlan(13, 3, 2, false, true, 7);
    for (int i = 0; i < 12; i++) {
      assertArrayEquals(update(whole, i), update(new BatchPlan(13, 3, 2, false, true, 7), i), "update " + i);
    }
  }

  @Test
  void keepsTheOrderWithoutShuffling() {
    var plan = new BatchPlan(5, 2, 1, false, false, 42);
    assertArrayEquals(new int[][]{{0, 1}}, update(plan, 0));
    assertArrayEquals(new int[][]{{4}}, update(plan, 2));
    assertArrayEquals(new int[][]{{0, 1}}, update(plan, 3));
  }

  @Test
  void mayDropTheShortBatch() {
    var plan = new BatchPlan(5, 2, 1, true, false, 42);
    assertEquals(2, plan.updatesPerEpoch());
    assertArrayEquals(new int[][]{{0, 1}}, update(plan, 2));
    var thrown = assertThrows(JqloraException.class, () -> new BatchPlan(3, 4, 1, true, false, 42));
    assertEquals("dataloader_drop_last leaves no batch: 3 examples with per_device_train_batch_size 4",
        thrown.getMessage());
  }

  @Test
  void anEpochReadsEachExampleOnce() {
    var plan = new BatchPlan(101, 4, 3, false, true, 1);
    for (int epoch = 0; epoch < 2; epoch++) {
      int first = epoch * plan.updatesPerEpoch();
      int[] seen = IntStream.range(first, first + plan.updatesPerEpoch()).boxed()
          .flatMapToInt(update -> plan.update(update).stream().flatMapToInt(Arrays::stream)).sorted().toArray();
      assertArrayEquals(IntStream.range(0, 101).toArray(), seen);
    }
  }

  @Test
  void countsStepsAndEpochs() {
    var plan = new BatchPlan(10, 2, 2, false, true, 42);
    assertEquals(9, plan.totalUpdates(3, -1));
    assertEquals(2, plan.totalUpdates(0.5, -1));
    assertEquals(7, plan.totalUpdates(3, 7));
    assertEquals(0.4, plan.epochsAfter(1));
    assertEquals(0.8, plan.epochsAfter(2));
    assertEquals(1.0, plan.epochsAfter(3));
    assertEquals(1.4, plan.epochsAfter(4));
  }

  @Test
  void anEmptySetIsAnError() {
    assertThrows(JqloraException.class, () -> new BatchPlan(0, 1, 1, false, true, 42));
  }
}
