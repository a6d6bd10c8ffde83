package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.tensor.DynamicMap;
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
  void bordersAndTheirNeighboursFollowTheMap(DynamicMap map) {
    float[] borders = new float[DynamicMap.SIZE * 2 + 16];
    int count = 0;
    for (int code = 0; code < DynamicMap.SIZE; code++) {
      borders[count++] = map.value(code);
    }
    for (float midpoint : map.midpoints()) {
      borders[count++] = midpoint;
    }
    for (int decade = 0; decade <= 8; decade++) {
      borders[count++] = (float) Math.pow(10, -decade);
    }
    borders[count++] = Float.MIN_VALUE;
    borders[count] = Float.MIN_NORMAL;
    float[] values = new float[DecadeCodes.RUN];
    for (int first = 0; first < borders.length; first += DecadeCodes.RUN / 8) {
      for (int i = 0; i < values.length; i++) {
        float border = borders[Math.min(first + i / 8, borders.length - 1)];
        float value = switch (i % 4) {
          case 0 -> border;
          case 1 -> Math.nextUp(border);
          case 2 -> Math.nextDown(border);
          default -> 0f;
        };
        values[i] = Math.clamp(i % 8 < 4 ? value : -value, map == DynamicMap.SIGNED ? -1f : 0f, 1f);
      }
      check(map, values, 1f);
    }
  }

  @ParameterizedTest
  @MethodSource("maps")
  void millionsOfNumbersFollowTheMap(DynamicMap map) {
    Random random = new Random(6);
    float[] midpoints = map.midpoints();
    float[] values = new float[DecadeCodes.RUN];
    for (int run = 0; run < 8000; run++) {
      float divisor = run % 2 == 0 ? 1f : Math.scalb(1 + random.nextFloat(), random.nextInt(60) - 30);
      for (int i = 0; i < values.length; i++) {
        float value = switch (i % 4) {
          case 0 -> random.nextFloat();
          case 1 -> Math.scalb(random.nextFloat(), -random.nextInt(26));
          // Near the numbers at which codes change.
          case 2 -> Math.clamp(
              Math.abs(midpoints[random.nextInt(midpoints.length)]) * (1 + (random.nextFloat() - 0.5f) * 1e-5f),
              0, 1);
          default -> Math.clamp((float) Math.pow(10, -random.nextInt(8)) * (0.9f + 0.6f * random.nextFloat()), 0, 1);
        };
        values[i] = divisor * (map == DynamicMap.SIGNED && random.nextBoolean() ? -value : value);
      }
      check(map, values, divisor);
    }
  }

  @Test
  void otherMapsAreRefused() {
    float[] other = DynamicMap.SIGNED.values();
    other[3] = Math.nextUp(other[3]);
    assertThrows(IllegalArgumentException.class, () -> new DecadeCodes(DynamicMap.of(other)));
  }

  private static void check(DynamicMap map, float[] values, float divisor) {
    byte[] codes = new byte[values.length + 3];
    (map == DynamicMap.SIGNED ? SIGNED_CODES : UNSIGNED_CODES).quantize(values, divisor, new DecadeCodes.Buffers(),
        codes,
        3);
    for (int i = 0; i < values.length; i++) {
      float x = values[i] / divisor;
      assertEquals(map.nearest(x), Byte.toUnsignedInt(codes[i + 3]), () -> "x = " + x);
    }
  }
}
