package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;

/**
 * Float memory with guard values on both sides, at an address that is no multiple of a vector's size: a kernel that
 * writes past its output is caught by {@link #floats}.
 */
final class Guarded {
  private static final int GUARD = 33;
  private static final float MARK = -7.25e9f;

  private final MemorySegment whole;
  private final int size;

  private Guarded(int size) {
    this.size = size;
    whole = Arena.ofAuto().allocate((size + 2L * GUARD) * Float.BYTES, Float.BYTES);
    for (int i = 0; i < size + 2 * GUARD; i++) {
      whole.setAtIndex(ValueLayout.JAVA_FLOAT, i, MARK);
    }
  }

  /** An output: filled with the guard's value, so that what is not written is seen as well. */
  static Guarded output(int size) {
    return new Guarded(size);
  }

  static Guarded of(float... values) {
    Guarded guarded = new Guarded(values.length);
    MemorySegment.copy(values, 0, guarded.data(), ValueLayout.JAVA_FLOAT, 0, values.length);
    return guarded;
  }

  /** Normal numbers, the same for the same seed. */
  static float[] normal(int size, long seed) {
    Random random = new Random(seed);
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** Scratch memory full of NaN: what a kernel reads before it has written it is seen. */
  static MemorySegment scratch(long bytes) {
    MemorySegment scratch = Arena.ofAuto().allocate(bytes, Long.BYTES);
    return scratch.fill((byte) 0xff);
  }

  MemorySegment data() {
    return whole.asSlice((long) GUARD * Float.BYTES, (long) size * Float.BYTES);
  }

  /** The values, after a look at the guards. */
  float[] floats() {
    for (int i = 0; i < GUARD; i++) {
      assertEquals(MARK, whole.getAtIndex(ValueLayout.JAVA_FLOAT, i), "guard before the output");
      assertEquals(MARK, whole.getAtIndex(ValueLayout.JAVA_FLOAT, GUARD + size + i), "guard after the output");
    }
    return data().toArray(ValueLayout.JAVA_FLOAT);
  }
}
