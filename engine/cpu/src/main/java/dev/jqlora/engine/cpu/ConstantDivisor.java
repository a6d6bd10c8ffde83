package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.FLOATS;

import jdk.incubator.vector.FloatVector;

/**
 * Division of many numbers by one, rounded as a division rounds, in four multiplications and additions (Markstein, Computation
 * of elementary functions on the IBM RISC System/6000). The product with the reciprocal, which is held in two floats, is one
 * of the two floats next to the quotient. What then remains of the number is exact, and the correction by it rounds once. A
 * processor that divides 16 floats in 16 cycles (Intel, 2023) does these in 2.
 *
 * <p>For finite numbers from 2⁻⁷⁵ to 2⁷⁵, and 0: no product may leave the normal numbers.
 */
final class ConstantDivisor {
  private final float minusDivisor;
  private final float inverse;
  /** What {@link #inverse} lacks of the reciprocal. */
  private final float rest;

  /** @param divisor one that {@link #fits} */
  ConstantDivisor(float divisor) {
    if (!fits(divisor)) {
      throw new IllegalArgumentException("not a divisor between 2^-20 and 2^20: " + divisor);
    }
    double reciprocal = 1.0 / divisor;
    minusDivisor = -divisor;
    inverse = (float) reciprocal;
    rest = (float) (reciprocal - inverse);
  }

  /** Whether a divisor is from 2⁻²⁰ to 2²⁰. */
  static boolean fits(float divisor) {
    return divisor >= 0x1p-20f && divisor <= 0x1p20f;
  }

  FloatVector divide(FloatVector x) {
    FloatVector factor = FloatVector.broadcast(FLOATS, inverse);
    FloatVector next = x.fma(factor, x.mul(rest));
    return next.fma(FloatVector.broadcast(FLOATS, minusDivisor), x).fma(factor, next);
  }
}
