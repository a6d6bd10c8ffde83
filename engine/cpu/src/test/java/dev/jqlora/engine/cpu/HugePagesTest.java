package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HugePagesTest {
  private static final long MIB = 1L << 20;

  /** Below what is worth such pages, just enough, and one byte more than whole pages. */
  @ParameterizedTest
  @ValueSource(longs = {64, 4 * MIB, 6 * MIB + 1})
  void memoryIsZeroedAlignedAndGivenBack(long bytes) {
    Arena arena = Arena.ofShared();
    MemorySegment memory = HugePages.allocate(arena, bytes, 64);
    assertEquals(bytes, memory.byteSize());
    assertEquals(0, memory.address() % 64);
    assertEquals(-1, memory.mismatch(MemorySegment.ofArray(new byte[(int) bytes])));
    memory.set(ValueLayout.JAVA_BYTE, bytes - 1, (byte) 7);
    assertEquals(7, memory.get(ValueLayout.JAVA_BYTE, bytes - 1));
    assertThrows(IndexOutOfBoundsException.class, () -> memory.get(ValueLayout.JAVA_BYTE, bytes));

    arena.close();
    assertFalse(memory.scope().isAlive());
    assertThrows(IllegalStateException.class, () -> memory.get(ValueLayout.JAVA_BYTE, 0));
  }
}
