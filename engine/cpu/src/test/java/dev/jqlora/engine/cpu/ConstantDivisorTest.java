package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;
import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class ConstantDivisorTest {
  private static final int COUNT = 1 << 14;

  @Test
  void theCorrectionsOfAdamDivideAsADivisionDoes() {
    for (double beta2 : new double[]{0.95, 0.99, 0.999, 0.9999}) {
      for (int step = 1; step <= 3000; step = step < 50 ? step + 1 : step * 5 / 4) {
        check((float) Math.sqrt(1 - Math.pow(beta2, step)));
      }
    }
  }

  @Test
  void anyDivisorDividesAsADivisionDoes() {
    Random random = new Random(1);
    for (float divisor : new float[]{1f, 3f, Math.nextDown(1f), Math.nextDown(2f), Math.nextUp(1f), 0x1p-20f,
        0x1p20f}) {
      check(divisor);
    }
    for (int i = 0; i < 100; i++) {
      check(Math.scalb(1 + random.nextFloat(), random.nextInt(-20, 20)));
    }
  }

  @Test
  void divisorsBeyondItsRangeAreRefused() {
    for (float divisor : new float[]{0f, -1f, Float.NaN, Float.POSITIVE_INFINITY, 0x1p-21f}) {
      assertFalse(ConstantDivisor.fits(divisor));
      assertThrows(IllegalArgumentException.class, () -> new ConstantDivisor(divisor));
    }
    assertTrue(ConstantDivisor.fits(1f));
  }

  private static void check(float divisor) {
    float[] numbers = numbers(divisor);
    float[] expected = new float[COUNT];
    for (int i = 0; i < COUNT; i++) {
      expected[i] = numbers[i] / divisor;
    }
    float[] actual = new float[COUNT];
    ConstantDivisor by = new ConstantDivisor(divisor);
    for (int i = 0; i < COUNT; i += LANES) {
      by.divide(FloatVector.fromArray(FLOATS, numbers, i)).intoArray(actual, i);
    }
    assertArrayEquals(expected, actual, "divisor " + divisor);
  }

  /** Zero, random numbers, and those whose quotients lie as near as can be to the middle between two floats. */
  private static float[] numbers(float divisor) {
    Random random = new Random(Float.floatToRawIntBits(divisor));
    float[] numbers = new float[COUNT];
    for (int i = 1; i < COUNT; i++) {
      float any = Math.scalb(1 + random.nextFloat(), random.nextInt(-75, 50));
      double middle = ((double) any + Math.nextUp(any)) / 2;
      float nearMiddle = (float) (middle * divisor);
      numbers[i] = switch (i % 4) {
        case 0 -> any;
        case 1 -> nearMiddle;
        case 2 -> Math.nextUp(nearMiddle);
        default -> Math.nextDown(nearMiddle);
      };
      if (numbers[i] < 0x1p-75f) {
        numbers[i] = 0;
      }
    }
    return numbers;
  }
}
