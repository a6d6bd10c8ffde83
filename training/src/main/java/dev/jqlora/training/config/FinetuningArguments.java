package dev.jqlora.training.config;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is trained and by which rules.
 *
 * @param loraTarget names of linear layers, or {@code all} alone
 * @param loraPlusRatio the multiple of the learning rate at which B learns, or null for the same rate
 * @param earlyStoppingPatience evaluations without a better metric before the run stops, or null for never
 */
public record FinetuningArguments(Stage stage, FinetuningType type, int loraRank, double loraAlpha, double loraDropout,
    List<String> loraTarget, boolean useRslora, @Nullable Double loraPlusRatio, boolean computeAccuracy,
    boolean disableShuffling, @Nullable Integer earlyStoppingPatience, boolean plotLoss,
    boolean includeEffectiveTokensPerSecond) {
  static FinetuningArguments of(Values values) {
    int rank = values.get(Keys.LORA_RANK);
    Double alpha = values.orNull(Keys.LORA_ALPHA);
    List<String> target = values.get(Keys.LORA_TARGET);
    if (target.size() > 1 && target.contains("all")) {
      throw values.error(Keys.LORA_TARGET, "expected all alone, or names of layers without all");
    }
    return new FinetuningArguments(values.get(Keys.STAGE), values.get(Keys.FINETUNING_TYPE), rank,
        alpha == null ? 2.0 * rank : alpha, values.get(Keys.LORA_DROPOUT), target, values.get(Keys.USE_RSLORA),
        values.orNull(Keys.LORAPLUS_LR_RATIO), values.get(Keys.COMPUTE_ACCURACY), values.get(Keys.DISABLE_SHUFFLING),
        values.orNull(Keys.EARLY_STOPPING_STEPS), values.get(Keys.PLOT_LOSS),
        values.get(Keys.INCLUDE_EFFECTIVE_TOKENS));
  }
}
