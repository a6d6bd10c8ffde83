package dev.jqlora.training.evaluate;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.util.List;

/**
 * McNemar's exact test (1947) of two sets of answers to the same questions. Only questions that one of them answers
 * rightly and the other wrongly tell them apart.
 *
 * @param onlyFirst questions that only the first answers rightly
 * @param onlySecond questions that only the second answers rightly
 */
public record McNemar(int onlyFirst, int onlySecond) {
  static McNemar of(List<Boolean> first, List<Boolean> second) {
    int onlyFirst = 0;
    int onlySecond = 0;
    for (int i = 0; i < first.size(); i++) {
      onlyFirst += first.get(i) && !second.get(i) ? 1 : 0;
      onlySecond += second.get(i) && !first.get(i) ? 1 : 0;
    }
    return new McNemar(onlyFirst, onlySecond);
  }

  /**
   * The two-sided p-value, {@code min(1, 2 Σ_{i ≤ min} C(n, i) / 2ⁿ)}: how often equally good answers would differ so
   * much or more.
   */
  public double pValue() {
    int n = onlyFirst + onlySecond;
    BigInteger sum = BigInteger.ZERO;
    BigInteger binomial = BigInteger.ONE;
    for (int i = 0; i <= Math.min(onlyFirst, onlySecond); i++) {
      sum = sum.add(binomial);
      binomial = binomial.multiply(BigInteger.valueOf(n - i)).divide(BigInteger.valueOf(i + 1));
    }
    var tails = new BigDecimal(sum.shiftLeft(1)).divide(new BigDecimal(BigInteger.ONE.shiftLeft(n)),
        MathContext.DECIMAL64);
    return Math.min(1, tails.doubleValue());
  }
}
