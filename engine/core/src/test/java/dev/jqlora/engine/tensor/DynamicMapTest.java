package dev.jqlora.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DynamicMapTest {
  @Test
  void signedMapHasTheReferenceBytes() {
    assertEquals("e732639a65f497b4ad684bb166a4467708255edd5207757de8b8f0c7e1fda89c", sha256(DynamicMap.SIGNED));
    assertEquals(-0.99296874f, DynamicMap.SIGNED.value(0));
    assertEquals(0f, DynamicMap.SIGNED.value(127));
    assertEquals(1f, DynamicMap.SIGNED.value(255));
  }

  @Test
  void unsignedMapHasTheReferenceBytes() {
    assertEquals("305f002cc11278fb769d13b25b9fd0c7c83c8402c40a878fe086f4039fde6398", sha256(DynamicMap.UNSIGNED));
    assertEquals(0f, DynamicMap.UNSIGNED.value(0));
    assertEquals(1f, DynamicMap.UNSIGNED.value(255));
  }

  @Test
  void nearestCountsTheMidpointsBelow() {
    for (DynamicMap map : new DynamicMap[]{DynamicMap.SIGNED, DynamicMap.UNSIGNED}) {
      float[] midpoints = map.midpoints();
      for (int code = 0; code < DynamicMap.SIZE; code++) {
        assertEquals(code, map.nearest(map.value(code)));
      }
      for (int i = 0; i < midpoints.length; i++) {
        assertEquals(i, map.nearest(midpoints[i]), "a tie takes the lower code");
        assertEquals(i + 1, map.nearest(Math.nextUp(midpoints[i])));
      }
      assertEquals(0, map.nearest(Float.NEGATIVE_INFINITY));
      assertEquals(255, map.nearest(Float.POSITIVE_INFINITY));
      assertEquals(0, map.nearest(Float.NaN));
    }
  }

  @Test
  void nearestAgreesWithCountingForAnyBits() {
    Random random = new Random(3);
    float[] custom = new float[DynamicMap.SIZE];
    for (int i = 0; i < custom.length; i++) {
      custom[i] = 1e-6f * i * i * i;
    }
    for (DynamicMap map : new DynamicMap[]{DynamicMap.SIGNED, DynamicMap.UNSIGNED, DynamicMap.of(custom)}) {
      float[] midpoints = map.midpoints();
      for (int i = 0; i < 200_000; i++) {
        float x = i % 2 == 0 ? Float.intBitsToFloat(random.nextInt()) : 2 * random.nextFloat() - 1;
        int below = 0;
        for (float midpoint : midpoints) {
          below += x > midpoint ? 1 : 0;
        }
        assertEquals(below, map.nearest(x), () -> "x = " + x);
      }
    }
  }

  @Test
  void aStoredMapIsRecognisedAndAnImpossibleOneRefused() {
    float[] values = DynamicMap.UNSIGNED.values();
    assertSame(DynamicMap.UNSIGNED, DynamicMap.of(values));
    values[3] = Float.NaN;
    assertThrows(IllegalArgumentException.class, () -> DynamicMap.of(values));
    assertThrows(IllegalArgumentException.class, () -> DynamicMap.of(new float[16]));
    float[] descending = new float[256];
    Arrays.fill(descending, 0, 128, 1f);
    assertThrows(IllegalArgumentException.class, () -> DynamicMap.of(descending));
  }

  private static String sha256(DynamicMap map) {
    return Sha256.of(MemorySegment.ofArray(map.values()).toArray(ValueLayout.JAVA_BYTE));
  }
}
