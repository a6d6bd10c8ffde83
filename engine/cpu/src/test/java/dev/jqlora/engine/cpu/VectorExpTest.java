package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorExpTest {
  @Test
  void isWithinTwoUnitsInTheLastPlaceEverywhere() {
    for (float x = -87.3f; x < 88.7f; x += 0.000731f) {
      double expected = Math.exp(x);
      assertEquals(expected, exp(x), 2.4e-7 * expected, () -> "exp");
    }
  }

  @Test
  void endsOfTheRange() {
    assertEquals(1f, exp(0f));
    assertEquals(1f, exp(-0f));
    assertEquals(0f, exp(-88f));
    assertEquals(0f, exp(-1e30f));
    assertEquals(0f, exp(Float.NEGATIVE_INFINITY));
    assertEquals(Float.POSITIVE_INFINITY, exp(89f));
    assertEquals(Float.POSITIVE_INFINITY, exp(Float.POSITIVE_INFINITY));
    assertTrue(exp(88.7228f) < Float.POSITIVE_INFINITY);
    assertTrue(exp(-87.336f) > 0);
    assertTrue(Float.isNaN(exp(Float.NaN)));
  }

  private static float exp(float x) {
    return VectorExp.exp(FloatVector.broadcast(VectorWidth.FLOATS, x)).lane(VectorWidth.LANES - 1);
  }
}
