package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.tensor.BFloat16;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CastKernelTest {
  private static final int PATTERNS = 1 << 16;

  /** Every pattern of 16 bits there and back; of the NaNs only the quiet ones come back as they were. */
  @Test
  void everyBFloat16IsAFloat() {
    try (Workers workers = new Workers(2); Arena arena = Arena.ofShared()) {
      MemorySegment halves = arena.allocate(ValueLayout.JAVA_SHORT, PATTERNS);
      for (int i = 0; i < PATTERNS; i++) {
        halves.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) i);
      }
      MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, PATTERNS);
      CastKernel.toFloat(workers, halves, PATTERNS, floats);
      MemorySegment back = arena.allocate(ValueLayout.JAVA_SHORT, PATTERNS);
      CastKernel.toBFloat16(workers, floats, PATTERNS, back);
      for (int i = 0; i < PATTERNS; i++) {
        float value = Float.intBitsToFloat(i << 16);
        assertEquals(i << 16, floats.getAtIndex(ValueLayout.JAVA_INT, i));
        assertEquals((short) (Float.isNaN(value) ? i | 0x40 : i), back.getAtIndex(ValueLayout.JAVA_SHORT, i));
      }
    }
  }

  /** Any bits at all, at lengths around a vector's and at addresses that are no multiple of one. */
  @Test
  void anyFloatIsRoundedToNearestEven() {
    Random random = new Random(1);
    try (Workers workers = new Workers(2); Arena arena = Arena.ofShared()) {
      for (int count : new int[]{0, 1, VectorWidth.LANES - 1, VectorWidth.LANES + 1, 100_003}) {
        MemorySegment floats = arena.allocate(4L * count + 4, 64).asSlice(4);
        for (int i = 0; i < count; i++) {
          int bits = random.nextInt();
          floats.setAtIndex(ValueLayout.JAVA_INT, i, i % 3 == 0 ? bits & 0xffff0000 | 0x8000 : bits);
        }
        MemorySegment halves = arena.allocate(2L * count + 4, 64);
        halves.fill((byte) 0x5a);
        CastKernel.toBFloat16(workers, floats, count, halves.asSlice(2, 2L * count));
        for (int i = 0; i < count; i++) {
          assertEquals(BFloat16.fromFloat(floats.getAtIndex(ValueLayout.JAVA_FLOAT, i)),
              halves.getAtIndex(ValueLayout.JAVA_SHORT, i + 1));
        }
        assertEquals((short) 0x5a5a, halves.getAtIndex(ValueLayout.JAVA_SHORT, 0));
        assertEquals((short) 0x5a5a, halves.getAtIndex(ValueLayout.JAVA_SHORT, count + 1));
      }
    }
  }
}
