package dev.jqlora.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class MicroBatchTest {
  private static final int X = Example.IGNORED;

  @Test
  void joinsSequencesAndShiftsLabels() {
    var batch = MicroBatch.of(List.of(new Example(new int[]{5, 6, 7}, new int[]{X, 6, 7}),
        new Example(new int[]{8, 9}, new int[]{8, 9})));
    assertArrayEquals(new int[]{5, 6, 7, 8, 9}, batch.tokens());
    assertArrayEquals(new int[]{0, 1, 2, 0, 1}, batch.positions());
    assertArrayEquals(new int[]{0, 0, 0, 3, 3}, batch.start());
    assertArrayEquals(new int[]{6, 7, X, 9, X}, batch.labels());
    assertEquals(3, batch.targets(), "the first token of a sequence is no target");
  }

  @Test
  void segmentsBeginAnewAndMayBeIsolated() {
    int[] ids = {1, 2, 3, 4, 5};
    int[] starts = {0, 2};
    var open = MicroBatch.of(List.of(new Example(new int[]{9}, new int[]{X}),
        new Example(ids, new int[]{X, 2, X, 4, 5}, starts, false)));
    assertArrayEquals(new int[]{0, 0, 1, 0, 1, 2}, open.positions());
    assertArrayEquals(new int[]{0, 1, 1, 1, 1, 1}, open.start());
    var isolated = MicroBatch.of(List.of(new Example(new int[]{9}, new int[]{X}),
        new Example(ids, new int[]{X, 2, X, 4, 5}, starts, true)));
    assertArrayEquals(open.positions(), isolated.positions());
    assertArrayEquals(new int[]{0, 1, 1, 3, 3, 3}, isolated.start());
    assertArrayEquals(new int[]{X, 2, X, 4, 5, X}, isolated.labels());
    assertEquals(3, isolated.targets());
  }

  @Test
  void aSingleTokenHasNoTarget() {
    assertEquals(0, MicroBatch.of(List.of(new Example(new int[]{1}, new int[]{1}))).targets());
    assertThrows(IllegalArgumentException.class, () -> MicroBatch.of(List.of()));
  }
}
