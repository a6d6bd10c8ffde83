package dev.jqlora.llama.generate;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.Arrays;
import java.util.BitSet;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

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
    boolean all = sampling.topK() == 0 || sampling.topK() >= logits.length;
    float least = all ? Float.NEGATIVE_INFINITY : largest(logits, sampling.topK());
    // Ascending order of these numbers is descending order of the logits, and equal logits go by id.
    int[] candidates = IntStream.range(0, logits.length).filter(id -> logits[id] >= least).mapToLong(
        id -> (long) ~sortable(logits[id]) << 32 | id).sorted().mapToInt(key -> (int) key).toArray();
    return sampling.topP() == 1 ? candidates : nucleus(logits, candidates);
  }

  /** The logit of that rank. */
  private static float largest(float[] logits, int rank) {
    PriorityQueue<Float> largest = new PriorityQueue<>(rank);
    for (float logit : logits) {
      if (largest.size() < rank) {
        largest.add(logit);
      } else if (logit > largest.element()) {
        largest.remove();
        largest.add(logit);
      }
    }
    return largest.element();
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
