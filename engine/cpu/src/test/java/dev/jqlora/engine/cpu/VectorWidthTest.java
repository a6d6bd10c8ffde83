package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class VectorWidthTest {
  @Test
  void aForcedWidthIsTaken() {
    int forced = Integer.getInteger("jqlora.cpu.vectorBits", VectorWidth.FLOATS.vectorBitSize());
    assertEquals(forced, VectorWidth.LANES * Float.SIZE);
    assertTrue(VectorWidth.LANES >= 4 && VectorWidth.LANES <= 16);
    assertEquals(VectorWidth.LANES, VectorWidth.INTS.length());
  }
}
