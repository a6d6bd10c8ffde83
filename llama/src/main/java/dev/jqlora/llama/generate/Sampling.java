package dev.jqlora.llama.generate;

/**
 * How the next token is chosen, as in Hugging Face's transformers: the repetition penalty is applied to the logits, then
 * the temperature, then all but the most likely tokens are left out, first by {@code topK}, then by {@code topP}.
 *
 * @param temperature divides the logits; 0 takes the most likely token, whatever {@code topK} and {@code topP} say
 * @param topK how many tokens may be chosen (more where some are equally likely); 0 for all
 * @param topP the smallest set of most likely tokens whose probabilities reach it may be chosen; 1 for all
 * @param repetitionPenalty a token that stands in the sequence already has its logit divided by it where positive,
 *     multiplied where negative; 1 for none (Keskar et al. 2019, arXiv 1909.05858)
 * @param seed of the random numbers
 */
public record Sampling(double temperature, int topK, double topP, double repetitionPenalty, long seed) {
  /** Always the most likely token. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 1, 0);

  public Sampling {
    require(temperature >= 0 && Double.isFinite(temperature), "temperature", "0 or more", temperature);
    require(topK >= 0, "top_k", "0 or more", topK);
    require(topP > 0 && topP <= 1, "top_p", "above 0 and at most 1", topP);
    require(repetitionPenalty > 0 && Double.isFinite(repetitionPenalty), "repetition_penalty", "above 0",
        repetitionPenalty);
  }

  private static void require(boolean holds, String name, String expected, Number value) {
    if (!holds) {
      throw new IllegalArgumentException("%s is %s; expected %s".formatted(name, value, expected));
    }
  }

  boolean greedy() {
    return temperature == 0;
  }
}
