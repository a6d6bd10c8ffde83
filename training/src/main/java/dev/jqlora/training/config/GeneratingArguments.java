package dev.jqlora.training.config;

/**
 * How text is generated.
 *
 * @param topK likeliest tokens to draw from; 0 for all
 */
public record GeneratingArguments(boolean doSample, double temperature, double topP, int topK, int maxNewTokens,
    double repetitionPenalty, boolean skipSpecialTokens) {
  static GeneratingArguments of(Values values) {
    return new GeneratingArguments(values.get(Keys.DO_SAMPLE), values.get(Keys.TEMPERATURE), values.get(Keys.TOP_P),
        values.get(Keys.TOP_K), values.get(Keys.MAX_NEW_TOKENS), values.get(Keys.REPETITION_PENALTY),
        values.get(Keys.SKIP_SPECIAL_TOKENS));
  }
}
