package dev.jqlora.engine.tornado;

import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Constants that kernels look up: a static array cannot be one in 5.2.0, and bits cannot be read as a number. */
final class Tables {
  /** The 16 values of NF4. */
  static final int NF4 = 0;
  /** For each exponent of BF16, the value of its last bit of the fraction. */
  static final int BF16 = 16;
  /** For each exponent of F16, likewise. */
  static final int F16 = BF16 + 256;
  /** The 256 values of the signed 8-bit map, then the 255 midpoints between them. */
  static final int SIGNED = F16 + 32;
  /** The unsigned map, likewise. */
  static final int UNSIGNED = SIGNED + 512;
  /** Not a number, which a kernel cannot name. */
  static final int NAN = UNSIGNED + 512;
  private static final int SIZE = NAN + 1;

  private Tables() {}

  static FloatArray create() {
    FloatArray tables = new FloatArray(SIZE);
    put(tables, NF4, Nf4.values());
    for (int exponent = 0; exponent < 256; exponent++) {
      tables.set(BF16 + exponent, (float) Math.scalb(1.0, Math.max(exponent, 1) - 127 - 7));
    }
    for (int exponent = 0; exponent < 31; exponent++) {
      tables.set(F16 + exponent, (float) Math.scalb(1.0, Math.max(exponent, 1) - 15 - 10));
    }
    // The last exponent stands for infinity: such that 1,024 of these overflow, as BF16's do by themselves.
    tables.set(F16 + 31, (float) Math.scalb(1.0, 128 - 10));
    tables.set(NAN, Float.NaN);
    put(tables, SIGNED, DynamicMap.SIGNED);
    put(tables, UNSIGNED, DynamicMap.UNSIGNED);
    return tables;
  }

  private static void put(FloatArray tables, int first, DynamicMap map) {
    put(tables, first, map.values());
    put(tables, first + DynamicMap.SIZE, map.midpoints());
  }

  private static void put(FloatArray tables, int first, float[] values) {
    for (int i = 0; i < values.length; i++) {
      tables.set(first + i, values[i]);
    }
  }
}
