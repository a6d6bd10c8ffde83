package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Memory as float32 numbers, one by one or by vectors. Indexes count floats.
 *
 * <p>Vectors are loaded from and stored to memory outside the heap only. Java's compiler learns from all uses in the process
 * what kind of segment they meet. Once a Java array was among them, RMSNorm's gradient took 2.2 ms instead of 1.1, after four
 * kinds of arrays 5.3 (1024 × 4096, AMD Zen 5, two threads).
 *
 * <p>What other code does with other memory counts there too, since checks are made in methods of the JDK that all share.
 * Where some of a program's memory was confined to a thread, the compiler moved the check of the owner in front of loops whose
 * memory has none, found it to fail at each call, and compiled the loop anew without having learned from that, until it left
 * it to the quick compiler, whose vectors are objects: RMSNorm's gradient then took 80 ms instead of 1.2, SwiGLU's 600
 * instead of 14. So kernels that stream memory, and {@link GemmTile}, check a run of it once, by {@link #address}, and go over
 * it by addresses within one constant segment, of which the compiler knows everything.
 *
 * <p>Loops that are compiled together with many others read segments without these methods. The compiler makes some
 * hundreds of nodes of its graph out of each operation on vectors, 11,000 out of {@link VectorExp}; beyond 18,000 in one
 * compilation it takes no method in any more but Java's own, and a vector that passes between methods is an object. What is
 * compiled together differs from run to run.
 */
final class FloatMemory {
  /** Bytes from one float to the next. */
  static final long STEP = Float.BYTES;
  /** Addresses in use are below this. It tells the compiler that no sum of one and a place within a run exceeds a long. */
  static final long ADDRESSES = (1L << 62) - 1;
  /** All memory outside the heap: places in it are addresses. Empty where native access is denied to this module. */
  static final MemorySegment MEMORY = memory();

  private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private FloatMemory() {}

  private static MemorySegment memory() {
    try {
      return MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    } catch (IllegalCallerException _) {
      return MemorySegment.NULL;
    }
  }

  /** Whether this module may use addresses, which a Java that was started to deny native access does not let it. */
  static boolean isAccessible() {
    return MEMORY.byteSize() > 0;
  }

  /**
   * The address of a run of floats. Whoever uses it keeps to the run and, until then, the memory reachable.
   *
   * @throws IndexOutOfBoundsException if the run is not within the memory
   * @throws IllegalArgumentException if the memory is on the heap
   * @throws IllegalStateException if it was freed
   */
  static long address(MemorySegment memory, long first, long count) {
    return byteAddress(memory, first * STEP, count * STEP);
  }

  /** The address of a run of bytes; otherwise {@link #address}. */
  static long byteAddress(MemorySegment memory, long first, long count) {
    Objects.checkFromIndexSize(first, count, memory.byteSize());
    if (!memory.isNative()) {
      throw new IllegalArgumentException("kernels go over memory outside the heap only");
    }
    if (!memory.scope().isAlive()) {
      throw new IllegalStateException("the memory was freed");
    }
    return (memory.address() + first) & ADDRESSES;
  }

  /** The address that many bytes behind another. */
  static long next(long address, long bytes) {
    return address + bytes & ADDRESSES;
  }

  /** The vector at an address. */
  static FloatVector loadAt(long address) {
    return FloatVector.fromMemorySegment(FLOATS, MEMORY, address, ByteOrder.LITTLE_ENDIAN);
  }

  /** Lanes outside the mask are 0 and are not read. */
  static FloatVector loadAt(long address, VectorMask<Float> mask) {
    return FloatVector.fromMemorySegment(FLOATS, MEMORY, address, ByteOrder.LITTLE_ENDIAN, mask);
  }

  static void storeAt(FloatVector vector, long address) {
    vector.intoMemorySegment(MEMORY, address, ByteOrder.LITTLE_ENDIAN);
  }

  static void storeAt(FloatVector vector, long address, VectorMask<Float> mask) {
    vector.intoMemorySegment(MEMORY, address, ByteOrder.LITTLE_ENDIAN, mask);
  }

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

  /** Copies floats from one memory to another. */
  static void copy(MemorySegment source, long from, MemorySegment target, long to, long count) {
    MemorySegment.copy(source, from * STEP, target, to * STEP, count * STEP);
  }
}
