package dev.jqlora.engine.testkit;

import dev.jqlora.engine.graph.Array64;

/**
 * How far a result may lie from the float64 one.
 *
 * @param error the most that is allowed, relative to the scale
 * @param scale what it is relative to
 * @param rounding what is allowed besides, relative to the element: the result is rounded once more to be stored
 * @param reason where such an error comes from
 */
public record Tolerance(double error, Scale scale, double rounding, String reason) {
  /** What an error is measured against. */
  public enum Scale {
    /** The element itself: each is computed without cancellation. */
    ELEMENT,
    /** The largest element of the tensor: sums whose terms may cancel. */
    LARGEST
  }

  /** The float64 result rounded to the element type is the only right one. */
  public static Tolerance exact(String reason) {
    return new Tolerance(0, Scale.ELEMENT, 0, reason);
  }

  public static Tolerance ofElement(double error, String reason) {
    return new Tolerance(error, Scale.ELEMENT, 0, reason);
  }

  public static Tolerance ofLargest(double error, String reason) {
    return new Tolerance(error, Scale.LARGEST, 0, reason);
  }

  /**
   * The same for results that are rounded to BF16 and stored: two that lie near each other may round to neighbours, which are
   * 2⁻⁷ of the element apart at most.
   */
  public Tolerance storedInBf16() {
    return new Tolerance(error, scale, 0x1p-7, reason + ", rounded to bfloat16");
  }

  /**
   * Throws AssertionError at the first element that is too far off. NaN agrees with NaN alone, an infinity with itself, and
   * neither makes room for others; what lies below the smallest normal float32 may be lost, unless the result is to be
   * exact. Then zero has a sign.
   */
  public void check(String what, Array64 expected, Array64 actual) {
    if (!expected.type().equals(actual.type())) {
      throw new AssertionError("%s: expected %s, got %s".formatted(what, expected.type(), actual.type()));
    }
    double largest = 0;
    for (double value : expected.data()) {
      largest = Double.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
    }
    for (int i = 0; i < expected.data().length; i++) {
      double right = expected.data()[i];
      double value = actual.data()[i];
      double allowed = error == 0 || !Double.isFinite(right)
          ? 0
          : error * (scale == Scale.ELEMENT ? Math.abs(right) : largest) + rounding * Math.abs(right)
              + Float.MIN_NORMAL;
      boolean near = error != 0 && Math.abs(value - right) <= allowed;
      if (Double.compare(value, right) != 0 && !near) {
        throw new AssertionError("%s: element %d of %s is %s, expected %s within %.2g (off by %.2g; %s)"
            .formatted(what, i, expected.type(), value, right, allowed, Math.abs(value - right), reason));
      }
    }
  }
}
