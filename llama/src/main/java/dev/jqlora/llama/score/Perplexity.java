package dev.jqlora.llama.score;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * The likelihood of a text, weighted by token: {@code perplexity = exp(Σ nll / tokens)}.
 *
 * @param tokens scored tokens
 * @param totalNll sum of their negative log-likelihoods, natural logarithm
 */
public record Perplexity(long tokens, double totalNll) {
  public static final Perplexity NONE = new Perplexity(0, 0);

  /**
   * How a text that is longer than the context is cut. A window begins {@code stride} tokens after the one before and
   * scores those of its tokens that no window before it has scored, so each token of the text but the first is scored
   * once; from the second window on, each has at least {@code tokens - stride} tokens of context.
   *
   * @param tokens tokens of a window, at least 2
   * @param stride tokens from one window's begin to the next one's, below {@code tokens}
   */
  public record Windows(int tokens, int stride) {
    public Windows {
      if (tokens < 2 || stride < 1 || stride >= tokens) {
        throw new IllegalArgumentException("a window of %d with a stride of %d".formatted(tokens, stride));
      }
    }

    List<Scorer.Sequence> of(int[] ids) {
      List<Scorer.Sequence> windows = new ArrayList<>();
      int scored = 1;
      for (int begin = 0; scored < ids.length; begin += stride) {
        int end = Math.min(ids.length, begin + tokens);
        windows.add(new Scorer.Sequence(Arrays.copyOfRange(ids, begin, end), scored - begin));
        scored = end;
      }
      return windows;
    }
  }

  /**
   * Scores a text.
   *
   * @param ids the text's tokens, a beginning-of-text token among them if there is to be one
   * @param progress is told how many tokens are scored
   * @throws JqloraException of kind DATA where there are fewer than two tokens
   */
  public static Perplexity of(int[] ids, Windows windows, Scorer scorer, LongConsumer progress) {
    if (ids.length < 2) {
      throw new JqloraException(Kind.DATA,
          "the text has %d tokens; expected at least 2, since the first has nothing before it".formatted(ids.length));
    }
    Perplexity total = NONE;
    List<Scorer.Sequence> all = windows.of(ids);
    for (int first = 0; first < all.size(); first += scorer.sequencesPerRun(windows.tokens())) {
      int end = Math.min(all.size(), first + scorer.sequencesPerRun(windows.tokens()));
      for (float[] scores : scorer.negativeLogLikelihoods(all.subList(first, end))) {
        total = total.plus(scores);
      }
      progress.accept(total.tokens());
    }
    return total;
  }

  public Perplexity plus(float[] nll) {
    double sum = totalNll;
    for (float value : nll) {
      sum += value;
    }
    return new Perplexity(tokens + nll.length, sum);
  }

  public double meanNll() {
    return totalNll / tokens;
  }

  public double perplexity() {
    return Math.exp(meanNll());
  }
}
