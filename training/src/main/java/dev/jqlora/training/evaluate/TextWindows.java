package dev.jqlora.training.evaluate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.llama.score.Perplexity;
import java.util.OptionalInt;

/**
 * How a text is asked to be cut.
 *
 * @param window tokens of a window; where none is given {@value #WINDOW}, or the model's context if that is shorter
 * @param stride tokens from one window's begin to the next one's; half the window where none is given
 */
public record TextWindows(OptionalInt window, OptionalInt stride) {
  /** Tokens of a window, as training cuts text by default. */
  private static final int WINDOW = 1024;

  /**
   * The windows of a model.
   *
   * @param context most tokens that it reads at once
   * @throws JqloraException {@code USAGE} for windows that cannot be
   */
  public Perplexity.Windows within(int context) {
    int tokens = window.orElse(Math.min(WINDOW, context));
    if (tokens < 2 || tokens > context) {
      throw EvaluationSettings.usage(
          "--window is %,d; expected 2 to the model's context of %,d tokens".formatted(tokens, context));
    }
    int step = stride.orElse(tokens / 2);
    if (step < 1 || step >= tokens) {
      throw EvaluationSettings.usage(
          "--stride is %,d; expected at least 1 and below the window of %,d tokens".formatted(step, tokens));
    }
    return new Perplexity.Windows(tokens, step);
  }
}
