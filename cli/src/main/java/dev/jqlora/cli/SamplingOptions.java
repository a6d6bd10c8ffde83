package dev.jqlora.cli;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.generate.Generator;
import dev.jqlora.llama.generate.Sampling;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How tokens are chosen and how many; the defaults are LLaMA-Factory's. */
final class SamplingOptions {
  private static final int DEFAULT_NEW_TOKENS = 1024;

  @Option(names = "--temperature", paramLabel = "T", defaultValue = "0.95", description = "0 always takes the likeliest token (default: ${DEFAULT-VALUE}).")
  private double temperature;

  @Option(names = "--top-k", paramLabel = "K", defaultValue = "50", description = "Choose among the K likeliest tokens; 0 for all (default: ${DEFAULT-VALUE}).")
  private int topK;

  @Option(names = "--top-p", paramLabel = "P", defaultValue = "0.7", description = "Choose among the likeliest tokens whose probabilities reach P (default: ${DEFAULT-VALUE}).")
  private double topP;

  @Option(names = "--repetition-penalty", paramLabel = "R", defaultValue = "1.0", description = "Above 1, tokens that are there already become less likely (default: ${DEFAULT-VALUE}).")
  private double repetitionPenalty;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "42", description = "Of the random numbers (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(names = "--max-new-tokens", paramLabel = "N", description = "Most tokens to write (default: 1024, or what the context leaves room for).")
  private @Nullable Integer maxNewTokens;

  Sampling sampling() {
    try {
      return new Sampling(temperature, topK, topP, repetitionPenalty, seed);
    } catch (IllegalArgumentException e) {
      throw new JqloraException(Kind.USAGE, String.valueOf(e.getMessage()), e);
    }
  }

  /** The most new tokens that are wanted of one text. */
  int newTokens() {
    if (maxNewTokens != null && maxNewTokens < 1) {
      throw new JqloraException(Kind.USAGE, "--max-new-tokens is %d; expected at least 1".formatted(maxNewTokens));
    }
    return maxNewTokens == null ? DEFAULT_NEW_TOKENS : maxNewTokens;
  }

  /** How many new tokens a prompt gets in a context. */
  int newTokens(int promptTokens, int context) {
    return maxNewTokens == null
        ? Math.min(newTokens(), Generator.room(promptTokens, 0, context))
        : Generator.room(promptTokens, newTokens(), context);
  }
}
