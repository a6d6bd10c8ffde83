package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.tensor.DynamicMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CodeTableTest {
  @Test
  void everyCodeFindsItsValueWhereverItStands() {
    float[] values = new float[DynamicMap.SIZE];
    for (int code = 0; code < values.length; code++) {
      // All bits take part, signs and lower halves that look negative among them.
      values[code] = Float.intBitsToFloat(0x3f80_0000 ^ code * 0x9e37_79b1);
    }
    CodeTable table = new CodeTable(values);
    byte[] codes = new byte[DynamicMap.SIZE + 7];
    MemorySegment memory = Arena.ofAuto().allocate(codes.length);
    for (int run = 0; run < 300; run++) {
      new Random(run).nextBytes(codes);
      for (int i = 0; run == 0 && i < DynamicMap.SIZE; i++) {
        codes[i + 3] = (byte) i;
      }
      int count = run == 0 ? DynamicMap.SIZE : run % (DynamicMap.SIZE + 1);
      float[] target = new float[count + 3];
      MemorySegment.copy(codes, 0, memory, ValueLayout.JAVA_BYTE, 0, codes.length);
      table.look(memory, 3, count, target, 2);
      for (int i = 0; i < count; i++) {
        assertEquals(Float.floatToRawIntBits(values[codes[i + 3] & 0xff]), Float.floatToRawIntBits(target[i + 2]));
      }
      assertEquals(0, target[1]);
      assertEquals(0, target[count + 2]);
    }
  }
}
