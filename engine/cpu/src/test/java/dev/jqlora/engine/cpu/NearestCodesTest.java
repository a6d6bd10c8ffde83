package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.tensor.DynamicMap;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NearestCodesTest {
  private static final int RUN = 1 << 12;
  private static final Map<DynamicMap, NearestCodes> TABLES = Map.of(DynamicMap.SIGNED,
      new NearestCodes(DynamicMap.SIGNED), DynamicMap.UNSIGNED, new NearestCodes(DynamicMap.UNSIGNED));

  static Stream<DynamicMap> maps() {
    return Stream.of(DynamicMap.SIGNED, DynamicMap.UNSIGNED);
  }

  @ParameterizedTest
  @MethodSource("maps")
  void boundariesAndTheirNeighboursFollowTheMap(DynamicMap map) {
    float[] values = new float[RUN];
    Arrays.fill(values, Float.NaN);
    int count = 0;
    for (float midpoint : map.midpoints()) {
      for (float value : new float[]{midpoint, Math.nextUp(midpoint), Math.nextDown(midpoint)}) {
        values[count++] = value;
      }
    }
    for (int code = 0; code < DynamicMap.SIZE; code++) {
      values[count++] = map.value(code);
      values[count++] = -map.value(code);
    }
    for (float value : new float[]{0f, -0f, Float.MIN_VALUE, -Float.MIN_VALUE, 1f, -1f, Float.MAX_VALUE,
        -Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      values[count++] = value;
    }
    check(map, values, 1f);
  }

  @ParameterizedTest
  @MethodSource("maps")
  void millionsOfNumbersFollowTheMap(DynamicMap map) {
    Random random = new Random(5);
    float[] values = new float[RUN];
    for (int run = 0; run < 500; run++) {
      float divisor = run % 2 == 0 ? 1f : Math.scalb(1 + random.nextFloat(), random.nextInt(60) - 30);
      for (int i = 0; i < RUN; i++) {
        values[i] = switch (i % 4) {
          case 0 -> finite(random.nextInt());
          case 1 -> divisor * (2 * random.nextFloat() - 1);
          case 2 -> divisor * Math.scalb(2 * random.nextFloat() - 1, -random.nextInt(24));
          // The upper halves of the bits near which codes change, with any lower half.
          default -> Float.intBitsToFloat(Float.floatToRawIntBits(map.value(random.nextInt(256))) + random.nextInt());
        };
        values[i] = Float.isFinite(values[i]) ? values[i] : Float.NaN;
      }
      check(map, values, divisor);
    }
  }

  private static float finite(int bits) {
    float value = Float.intBitsToFloat(bits);
    return Float.isFinite(value) ? value : 0f;
  }

  @Test
  void aMapTooFineForTheTableIsRefused() {
    float[] fine = new float[DynamicMap.SIZE];
    for (int i = 0; i < fine.length; i++) {
      fine[i] = 1 + i * 1e-6f;
    }
    assertThrows(IllegalArgumentException.class, () -> new NearestCodes(DynamicMap.of(fine)));
  }

  private static void check(DynamicMap map, float[] values, float divisor) {
    byte[] codes = new byte[values.length];
    Objects.requireNonNull(TABLES.get(map)).quantize(values, divisor, new int[values.length], new int[values.length],
        codes);
    for (int i = 0; i < values.length; i++) {
      float x = values[i] / divisor;
      assertEquals(map.nearest(x), Byte.toUnsignedInt(codes[i]), () -> "x = " + x);
    }
  }
}
