package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Memory as float32 numbers, one by one or by vectors. Indexes count floats.
 *
 * <p>Vectors are loaded from and stored to memory outside the heap only. Java's compiler learns from all uses in the process
 * what kind of segment they meet. Once a Java array was among them, RMSNorm's gradient took 2.2 ms instead of 1.1, after four
 * kinds of arrays 5.3 (1024 × 4096, AMD Zen 5, two threads).
 *
 * <p>Loops that are compiled together with many others read vectors without these methods. The compiler makes some
 * hundreds of nodes of its graph out of each operation on vectors, 11,000 out of {@link VectorExp}; beyond 18,000 in one
 * compilation it takes no method in any more but Java's own, and a vector that passes between methods is an object. What is
 * compiled together differs from run to run.
 */
final class FloatMemory {
  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FloatMemory() {}

  static float get(MemorySegment memory, long index) {
    return memory.get(F32, index * Float.BYTES);
  }

  static void set(MemorySegment memory, long index, float value) {
    memory.set(F32, index * Float.BYTES, value);
  }

  static int getInt(MemorySegment memory, long index) {
    return memory.get(I32, index * Integer.BYTES);
  }

  static FloatVector load(MemorySegment memory, long index) {
    return FloatVector.fromMemorySegment(FLOATS, memory, index * Float.BYTES, ByteOrder.LITTLE_ENDIAN);
  }

  /** Lanes outside the mask are 0 and are not read. */
  static FloatVector load(MemorySegment memory, long index, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, memory, index * Float.BYTES, ByteOrder.LITTLE_ENDIAN, mask);
  }

  static void store(FloatVector vector, MemorySegment memory, long index) {
    vector.intoMemorySegment(memory, index * Float.BYTES, ByteOrder.LITTLE_ENDIAN);
  }

  static void store(FloatVector vector, MemorySegment memory, long index, VectorMask<Float> mask) {
    vector.intoMemorySegment(memory, index * Float.BYTES, ByteOrder.LITTLE_ENDIAN, mask);
  }

  /** The first {@code remaining} lanes: what is left of a run after its whole vectors. */
  static VectorMask<Float> tail(long remaining) {
    return FLOATS.indexInRange(0, remaining);
  }

  /** Sets {@code count} floats to a value. */
  static void fill(MemorySegment memory, long index, long count, float value) {
    FloatVector values = FloatVector.broadcast(FLOATS, value);
    long end = index + count;
    long i = index;
    for (; i + FLOATS.length() <= end; i += FLOATS.length()) {
      store(values, memory, i);
    }
    for (; i < end; i++) {
      set(memory, i, value);
    }
  }

  /** Copies floats out of memory. */
  static void read(MemorySegment memory, long index, float[] target, int offset, int count) {
    MemorySegment.copy(memory, F32, index * Float.BYTES, target, offset, count);
  }

  /** Copies floats into memory. */
  static void write(float[] source, int offset, MemorySegment memory, long index, int count) {
    MemorySegment.copy(source, offset, memory, F32, index * Float.BYTES, count);
  }
}
