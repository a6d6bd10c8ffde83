package dev.jqlora.engine.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * What the kernels know of the machine. The widest vectors are taken unless the system property
 * {@code jqlora.cpu.vectorBits} (128, 256 or 512) says otherwise, so that one machine tests every width.
 */
final class VectorWidth {
  static final VectorSpecies<Float> FLOATS = floats();
  static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED.withShape(FLOATS.vectorShape());
  /** Floats in a vector. */
  static final int LANES = FLOATS.length();
  /**
   * Whether 32 vector registers can be counted on (AVX-512, NEON); 16 otherwise (AVX2). Narrow vectors on a wide machine
   * are taken for AVX2, whose kernels are tested that way.
   */
  static final boolean MANY_REGISTERS = LANES == 16 || System.getProperty("os.arch", "").equals("aarch64");

  private VectorWidth() {}

  private static VectorSpecies<Float> floats() {
    int widest = Math.min(FloatVector.SPECIES_PREFERRED.vectorBitSize(), 512);
    int bits = Integer.getInteger("jqlora.cpu.vectorBits", widest);
    if (bits != 128 && bits != 256 && bits != 512) {
      throw new IllegalArgumentException("jqlora.cpu.vectorBits is 128, 256 or 512, not " + bits);
    }
    return FloatVector.SPECIES_PREFERRED.withShape(VectorShape.forBitSize(bits));
  }
}
