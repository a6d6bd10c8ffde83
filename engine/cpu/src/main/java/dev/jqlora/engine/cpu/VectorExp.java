package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The exponential function of a vector, within two units in the last place. With n = x / ln 2 rounded, the rest r = x -
 * n ln 2 is at most ln 2 / 2 and its exponential p a polynomial (Moshier, Cephes, expf); n is added to p's exponent. Below
 * {@value #LOWEST}, where results would no longer be normal, the result is 0, above {@value #HIGHEST} infinite; NaN
 * gives NaN. What the polynomial makes of such numbers is replaced at the end, which costs less than to keep them in bounds
 * first: Java's minimum and maximum are several instructions each.
 */
final class VectorExp {
  /** ln 2⁻¹²⁶, rounded up: adding to the exponent must not leave the normal numbers. */
  private static final float LOWEST = -87.33654f;
  private static final float HIGHEST = 88.72283f;
  private static final float INVERSE_LN2 = 1.44269504f;
  /** ln 2 in two parts, of which the first has so few bits that its product with n is exact. */
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;
  /** Adding it leaves the rounded integer in the low bits of the fraction, above which nine bits are zero. */
  private static final float ROUNDER = 0x1.8p23f;
  private static final int FRACTION_BITS = 23;

  private VectorExp() {}

  static FloatVector exp(FloatVector x) {
    FloatVector rounded = x.fma(FloatVector.broadcast(FLOATS, INVERSE_LN2), FloatVector.broadcast(FLOATS, ROUNDER));
    FloatVector n = rounded.sub(ROUNDER);
    FloatVector r = n.fma(FloatVector.broadcast(FLOATS, -LN2_HIGH), x);
    r = n.fma(FloatVector.broadcast(FLOATS, -LN2_LOW), r);
    FloatVector p = FloatVector.broadcast(FLOATS, 1.9875691500e-4f);
    p = p.fma(r, FloatVector.broadcast(FLOATS, 1.3981999507e-3f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 8.3334519073e-3f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 4.1665795894e-2f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 1.6666665459e-1f));
    p = p.fma(r, FloatVector.broadcast(FLOATS, 5.0000001201e-1f));
    p = p.fma(r.mul(r), r).add(1f);
    IntVector exponent = rounded.reinterpretAsInts().lanewise(VectorOperators.LSHL, FRACTION_BITS);
    FloatVector inside = p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
    FloatVector result = inside.blend(0f, x.compare(VectorOperators.LT, LOWEST));
    // Infinite beyond HIGHEST, and NaN for NaN.
    return x.mul(Float.MAX_VALUE).blend(result, x.compare(VectorOperators.LE, HIGHEST));
  }
}
