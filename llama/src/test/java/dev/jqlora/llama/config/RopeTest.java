package dev.jqlora.llama.config;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.Test;

/** The check values are those of transformers, to the eight digits that were noted. */
class RopeTest {
  @Test
  void plainFrequencies() {
    assertFrequencies("llama-3-8b", Map.of(0, 1.0, 1, 0.8146172, 2, 0.6636013, 31, 0.0017360467, 32, 0.0014142134, 63,
        2.4551407e-6));
  }

  @Test
  void frequenciesScaledForLlama31() {
    assertFrequencies("llama-3.1-8b", Map.of(24, 0.0072926651, 28, 0.0032114461, 32, 0.00052484602, 36, 7.7846555e-5,
        63, 3.0689259e-7));
  }

  @Test
  void frequenciesScaledForLlama32() {
    assertFrequencies("llama-3.2-1b", Map.of(8, 0.037606031, 12, 0.0072926651, 16, 0.00042955671, 20, 8.5702559e-6, 31,
        9.4183065e-8));
  }

  private static void assertFrequencies(String model, Map<Integer, Double> expected) {
    LlamaConfig config = KnownConfigs.named(model).orElseThrow();
    float[] actual = config.rope().inverseFrequencies(config.headDim());
    assertEquals(config.headDim() / 2, actual.length);
    expected.forEach((index, value) -> assertEquals(value, actual[index], 1.2e-7 * value, model + " " + index));
  }
}
