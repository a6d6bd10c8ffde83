package dev.jqlora.llama.generate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.Arrays;
import java.util.BitSet;
import java.util.SplittableRandom;

/** Chooses tokens by one {@link Sampling}, with a stream of random numbers that its seed decides. */
final class Sampler {
  private final Sampling sampling;
  private final SplittableRandom random;

  Sampler(Sampling sampling) {
    this.sampling = sampling;
    this.random = new SplittableRandom(sampling.seed());
  }

  /**
   * Chooses the next token.
   *
   * @param logits one per token of the vocabulary; overwritten
   * @param seen the tokens of the sequence so far
   */
  int next(float[] logits, BitSet seen) {
    requireFinite(logits);
    penalize(logits, seen);
    if (sampling.greedy()) {
      return largest(logits);
    }
    int[] candidates = candidates(logits);
    return draw(candidates, probabilities(logits, candidates));
  }

  private static void requireFinite(float[] logits) {
    for (float logit : logits) {
      if (!Float.isFinite(logit)) {
        throw new JqloraException(Kind.NUMERICS,
            "the model's logits hold %s; its weights or its adapter's are damaged, or the training diverged".formatted(
                logit));
      }
    }
  }

  private void penalize(float[] logits, BitSet seen) {
    if (sampling.repetitionPenalty() == 1) {
      return;
    }
    float penalty = (float) sampling.repetitionPenalty();
    seen.stream().filter(id -> id < logits.length).forEach(id -> logits[id] = logits[id] < 0
        ? logits[id] * penalty
        : logits[id] / penalty);
  }

  /** The first of the largest. */
  private static int largest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      if (logits[i] > logits[best]) {
        best = i;
      }
    }
    return best;
  }

  /** The tokens that may be chosen, the likeliest first. */
  private int[] candidates(float[] logits) {
    long[] order = new long[logits.length];
    for (int i = 0; i < logits.length; i++) {
      // Ascending order of these is descending order of the logits, and equal logits go by id.
      order[i] = (long) ~sortable(logits[i]) << 32 | i;
    }
    Arrays.sort(order);
    int count = order.length;
    if (sampling.topK() > 0 && sampling.topK() < count) {
      count = sampling.topK();
      float least = logits[(int) order[count - 1]];
      while (count < order.length && logits[(int) order[count]] == least) {
        count++;
      }
    }
    int[] candidates = new int[count];
    for (int i = 0; i < count; i++) {
      candidates[i] = (int) order[i];
    }
    return sampling.topP() == 1 ? candidates : nucleus(logits, candidates);
  }

  private int[] nucleus(float[] logits, int[] candidates) {
    double[] probabilities = probabilities(logits, candidates);
    double sum = 0;
    int count = 0;
    while (count < candidates.length && (count == 0 || sum < sampling.topP())) {
      sum += probabilities[count++];
    }
    return Arrays.copyOf(candidates, count);
  }

  /** An int whose order is that of the float. */
  private static int sortable(float value) {
    int bits = Float.floatToIntBits(value + 0f);
    return bits ^ bits >> 31 & Integer.MAX_VALUE;
  }

  /** The softmax over the candidates, of which the first is the likeliest. */
  private double[] probabilities(float[] logits, int[] candidates) {
    double[] probabilities = new double[candidates.length];
    double sum = 0;
    for (int i = 0; i < candidates.length; i++) {
      double shifted = ((double) logits[candidates[i]] - logits[candidates[0]]) / sampling.temperature();
      probabilities[i] = Math.exp(shifted);
      sum += probabilities[i];
    }
    for (int i = 0; i < probabilities.length; i++) {
      probabilities[i] /= sum;
    }
    return probabilities;
  }

  private int draw(int[] candidates, double[] probabilities) {
    double left = random.nextDouble();
    for (int i = 0; i < candidates.length - 1; i++) {
      left -= probabilities[i];
      if (left < 0) {
        return candidates[i];
      }
    }
    return candidates[candidates.length - 1];
  }
}
