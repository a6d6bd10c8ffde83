package dev.jqlora.engine.cuda;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.Locale;

/** What matrix products and attention are computed in; everything else is float32. */
public enum Precision {
  /** Factors and sums in float32: the mode of proof, held to the float32 goldens. */
  FLOAT32,
  /**
   * Factors rounded to bfloat16, on tensor cores; sums in float32: the mode of work. A product with a single row, and shapes
   * that tensor cores do not take, stay in float32.
   */
  BF16;

  /** From the system property {@code jqlora.cuda.precision}, {@code float32} or {@code bf16}; bf16 where it is not set. */
  static Precision ofProperty() {
    String name = System.getProperty("jqlora.cuda.precision", "bf16");
    for (Precision precision : values()) {
      if (precision.name().toLowerCase(Locale.ROOT).equals(name)) {
        return precision;
      }
    }
    throw new JqloraException(Kind.USAGE,
        "-Djqlora.cuda.precision: expected float32 or bf16, got " + name);
  }
}
