package dev.jqlora.engine.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Alignment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PlacementTest {
  private static final int STEPS = 12;

  @Test
  void buffersThatLiveTogetherNeverOverlap() {
    for (int seed = 0; seed < 500; seed++) {
      List<Placement.Buffer> buffers = random(seed);
      long size = Placement.place(buffers);
      for (Placement.Buffer one : buffers) {
        assertTrue(0 <= one.offset && one.offset + one.bytes <= size);
        assertEquals(0, one.offset % Alignment.BYTES);
        for (Placement.Buffer other : buffers) {
          assertFalse(one != other && one.livesWith(other) && one.offset < other.offset + other.bytes
              && other.offset < one.offset + one.bytes, () -> one.name + " and " + other.name);
        }
      }
      long most = Placement.liveBytes(buffers, Placement.peakStep(buffers, STEPS));
      for (int step = -1; step <= STEPS; step++) {
        assertTrue(Placement.liveBytes(buffers, step) <= most);
      }
      assertTrue(most <= size);
    }
  }

  @Test
  void memoryIsUsedAgain() {
    List<Placement.Buffer> buffers = new ArrayList<>();
    for (int step = 0; step < 10; step++) {
      buffers.add(new Placement.Buffer("value of step " + step, 1000, step, step + 1));
    }
    assertEquals(2 * Alignment.roundUp(1000), Placement.place(buffers));
  }

  private static List<Placement.Buffer> random(int seed) {
    Random random = new Random(seed);
    List<Placement.Buffer> buffers = new ArrayList<>();
    for (int i = 0; i < 30; i++) {
      int first = random.nextInt(STEPS) - 1;
      buffers.add(new Placement.Buffer("buffer " + i, random.nextInt(5) == 0 ? 0 : random.nextInt(1000), first,
          first + random.nextInt(STEPS - first)));
    }
    return buffers;
  }
}
