package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class CpuRoofTest {
  @Test
  void sayWhatWorkTheyDid() {
    try (CpuRoof roof = new CpuRoof(2, 7L << 20)) {
      assertEquals(7 << 20, roof.read());
      assertEquals(6 << 20, roof.triad());
      double eachThread = 8.0 * (1 << 20) * 12 * 2 * CpuRoof.vectorBits() / Float.SIZE;
      assertEquals(2 * eachThread, roof.multiplyAdds());
    }
  }
}
