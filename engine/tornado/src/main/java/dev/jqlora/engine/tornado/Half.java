package dev.jqlora.engine.tornado;

import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** 16-bit numbers within kernels, by arithmetic alone: exact, infinities and zeros too; NaN loses its sign and bits. */
final class Half {
  private Half() {}

  /** The value of BF16 bits. */
  static float bf16(int bits, FloatArray tables) {
    int exponent = (bits >> 7) & 255;
    int fraction = (bits & 127) + (exponent == 0 ? 0 : 128);
    float magnitude = (bits & 0x7fff) > 0x7f80
        ? tables.get(Tables.NAN)
        : fraction * tables.get(Tables.BF16 + exponent);
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }

  /** The value of F16 bits. */
  static float f16(int bits, FloatArray tables) {
    int exponent = (bits >> 10) & 31;
    int fraction = (bits & 1023) + (exponent == 0 ? 0 : 1024);
    float magnitude = (bits & 0x7fff) > 0x7c00
        ? tables.get(Tables.NAN)
        : fraction * tables.get(Tables.F16 + exponent);
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }

  /**
   * The bits of the nearest 16-bit number, the even one on a tie, with infinity for what is too large, and a quiet NaN for
   * NaN.
   *
   * @param table where the type's exponents stand in {@link Tables}; there are {@code exponents} of them
   * @param one the fraction's range: 2 to the number of its bits
   */
  static int encode(float value, FloatArray tables, int table, int exponents, int one) {
    float magnitude = value < 0 ? -value : value;
    int exponent = 1;
    for (int step = exponents / 2; step > 0; step >>= 1) {
      int higher = exponent + step;
      if (higher < exponents - 1 && magnitude >= tables.get(table + higher) * one) {
        exponent = higher;
      }
    }
    float scaled = magnitude / tables.get(table + exponent);
    int bits = (exponents - 1) * one + one / 2;
    // So asked, infinity passes, and NaN alone does not.
    if (-magnitude < Float.POSITIVE_INFINITY) {
      bits = (exponents - 1) * one;
      if (scaled < 2 * one) {
        int fraction = (int) scaled;
        float rest = scaled - fraction;
        if (rest > 0.5f || (rest == 0.5f && (fraction & 1) == 1)) {
          fraction++;
        }
        bits = fraction + (exponent - 1) * one;
      }
    }
    // Of the two zeros the quotient tells the sign.
    return value < 0 || 1 / value < 0 ? bits | 0x8000 : bits;
  }
}
