package dev.jqlora.engine.cuda;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.Locale;

/** What the products with NF4 weights are computed in; everything else is float32. */
public enum Precision {
  /** Factors and sums in float32: the mode that is held to the float32 goldens. */
  FLOAT32,
  /** Factors rounded to bfloat16, on tensor cores; sums in float32. Shapes that tensor cores do not take stay in float32. */
  BF16;

  /** From the system property {@code jqlora.cuda.precision}, {@code float32} or {@code bf16}; float32 where it is not set. */
  static Precision ofProperty() {
    String name = System.getProperty("jqlora.cuda.precision", "float32");
    for (Precision precision : values()) {
      if (precision.name().toLowerCase(Locale.ROOT).equals(name)) {
        return precision;
      }
    }
    throw new JqloraException(Kind.USAGE,
        "-Djqlora.cuda.precision: expected float32 or bf16, got " + name);
  }
}
