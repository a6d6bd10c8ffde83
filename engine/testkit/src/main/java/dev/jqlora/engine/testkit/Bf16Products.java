package dev.jqlora.engine.testkit;

/**
 * How far results may be off where the factors of products are rounded to BF16 and their sums are F32, as tensor cores compute.
 *
 * <p>Rounding changes a factor by at most u = 2⁻⁸ of itself, and in the root mean square by u / √(8 ln 2): evenly between
 * neighbours, over numbers whose logarithms are spread evenly. A product of two factors is off by √2 of that, independently of
 * others. So a sum of products that may cancel is off by that share of the root of the sum of their squares, which is the size
 * that the sum itself has: the share does not depend on how many there are. What depends on it is the rounding of the sum in
 * F32, √depth · 2⁻²⁴. Products one after the other add up as squares do (Higham and Mary 2019, <i>A new approach to
 * probabilistic rounding error analysis</i>). The largest error of many results stands to the mean one about as the largest
 * result does to theirs; twice that is allowed.
 */
public final class Bf16Products {
  private static final double UNIT_ROUNDOFF = 0x1p-8;
  private static final double SUM_ROUNDOFF = 0x1p-24;
  /** The factors' root mean square, for both of them. */
  private static final double PRODUCT_ERROR = UNIT_ROUNDOFF * Math.sqrt(2 / (8 * Math.log(2)));
  private static final double ALLOWED = 2;

  private Bf16Products() {}

  /**
   * The most that a result may be off, as a share of the largest.
   *
   * @param products one after the other, each of what the one before it made
   * @param depth terms of the longest sum
   */
  public static double error(int products, int depth) {
    return ALLOWED * Math.sqrt(products) * (PRODUCT_ERROR + Math.sqrt(depth) * SUM_ROUNDOFF);
  }

  static Tolerance tolerance(int products, int depth) {
    return Tolerance.ofLargest(error(products, depth),
        "factors rounded to bfloat16 in %s, sums of up to %d".formatted(
            products == 1 ? "one product" : products + " products one after the other", depth));
  }
}
