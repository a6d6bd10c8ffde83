package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.DynamicMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class DecadeCodesTest {
  private static final DecadeCodes SIGNED_CODES = new DecadeCodes(DynamicMap.SIGNED);
  private static final DecadeCodes UNSIGNED_CODES = new DecadeCodes(DynamicMap.UNSIGNED);

  @BeforeAll
  static void widest() {
    Assumptions.assumeTrue(DecadeCodes.FITS, "skipped: vectors are not of 512 bits");
  }

  static Stream<DynamicMap> maps() {
    return Stream.of(DynamicMap.SIGNED, DynamicMap.UNSIGNED);
  }

  @ParameterizedTest
  @MethodSource("maps")
  void numbersNearMidpointsFollowTheMap(DynamicMap map) {
    float[] values = new float[DecadeCodes.RUN];
    for (float midpoint : map.midpoints()) {
      for (int distance = -26; distance <= 26; distance++) {
        // The next 16 floats, and then ever farther ones, up to 2^14: between 2^-9 and 2^-10 of the midpoint.
        int far = Math.abs(distance);
        int ulps = Integer.signum(distance) * (far <= 16 ? far : 1 << far - 12);
        Arrays.fill(values, midpoint / 3);
        values[77] = Float.intBitsToFloat(Float.floatToRawIntBits(midpoint) + ulps);
        boolean known = check(map, values, 1f);
        assertFalse(known && ulps == 0, "a tie is for the exact quotient to decide");
        assertTrue(known || far < 26, () -> "too far from the midpoint " + midpoint + " to be left");
      }
    }
  }

  @ParameterizedTest
  @MethodSource("maps")
  void valuesAndTheEndsOfDecadesFollowTheMap(DynamicMap map) {
    float[] values = new float[DecadeCodes.RUN];
    for (int i = 0; i < values.length; i++) {
      values[i] = map.value(i);
    }
    assertTrue(check(map, values, 1f));
    // The greatest of a block is a number of magnitude 1, so each block has one.
    Arrays.fill(values, map == DynamicMap.SIGNED ? -1f : 1f);
    assertTrue(check(map, values, 1f));
    for (int i = 0; i < values.length; i++) {
      float border = (float) Math.pow(10, -(i / 32));
      float value = switch (i % 4) {
        case 0 -> border;
        case 1 -> Math.nextDown(border);
        case 2 -> Math.scalb(Float.MIN_VALUE, i / 8);
        default -> 0f;
      };
      values[i] = map == DynamicMap.SIGNED && i % 8 < 4 ? -value : value;
    }
    check(map, values, 1f);
  }

  @ParameterizedTest
  @MethodSource("maps")
  void millionsOfNumbersFollowTheMap(DynamicMap map) {
    Random random = new Random(6);
    float[] values = new float[DecadeCodes.RUN];
    int known = 0;
    int runs = 8000;
    for (int run = 0; run < runs; run++) {
      float divisor = run % 4 == 0 ? 1f : Math.scalb(1 + random.nextFloat(), random.nextInt(201) - 100);
      for (int i = 0; i < values.length; i++) {
        float value = switch (i % 3) {
          case 0 -> random.nextFloat();
          case 1 -> Math.scalb(random.nextFloat(), -random.nextInt(26));
          default -> Math.clamp((float) Math.pow(10, -random.nextInt(8)) * (0.9f + 0.6f * random.nextFloat()), 0, 1);
        };
        values[i] = divisor * (map == DynamicMap.SIGNED && random.nextBoolean() ? -value : value);
      }
      known += check(map, values, divisor) ? 1 : 0;
    }
    assertTrue(known > 0.9 * runs, known + " runs of " + runs + " were known");
  }

  @Test
  void otherMapsAreRefused() {
    float[] other = DynamicMap.SIGNED.values();
    other[3] = Math.nextUp(other[3]);
    assertThrows(IllegalArgumentException.class, () -> new DecadeCodes(DynamicMap.of(other)));
  }

  /** Returns whether lines could tell all codes. */
  private static boolean check(DynamicMap map, float[] values, float divisor) {
    MemorySegment codes = Arena.ofAuto().allocate(2 + values.length);
    int near = (map == DynamicMap.SIGNED ? SIGNED_CODES : UNSIGNED_CODES).quantize(values, divisor,
        new int[DecadeCodes.RUN], codes, 1);
    assertEquals(0, codes.get(ValueLayout.JAVA_BYTE, 0), "before the codes");
    assertEquals(0, codes.get(ValueLayout.JAVA_BYTE, 1 + values.length), "behind the codes");
    for (int i = 0; i < values.length; i++) {
      float x = values[i] / divisor;
      assertEquals(map.nearest(x), Byte.toUnsignedInt(codes.get(ValueLayout.JAVA_BYTE, 1 + i)), () -> "x = " + x);
    }
    return near == 0;
  }
}
