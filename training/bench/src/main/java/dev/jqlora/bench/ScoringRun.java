package dev.jqlora.bench;

import dev.jqlora.llama.inference.LoadedModel;
import dev.jqlora.llama.score.Scorer;
import java.util.List;

/** A question that is scored as {@code jqlora evaluate} does it: many tokens, of which the last is the answer. */
final class ScoringRun implements Contender {
  private final Scorer scorer;
  private final List<Scorer.Sequence> sequence;

  ScoringRun(LoadedModel model, int n) {
    scorer = new Scorer(model, n);
    int[] ids = new int[n];
    for (int i = 0; i < n; i++) {
      ids[i] = i % model.config().vocabSize();
    }
    sequence = List.of(new Scorer.Sequence(ids, n - 1));
  }

  @Override
  public void run() {
    scorer.negativeLogLikelihoods(sequence);
  }

  /** The model is whose it was. */
  @Override
  public void close() {}
}
