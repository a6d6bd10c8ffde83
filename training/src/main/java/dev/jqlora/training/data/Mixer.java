package dev.jqlora.training.data;

import dev.jqlora.engine.random.MersenneTwister;
import dev.jqlora.training.config.MixStrategy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Makes one list of several datasets' rows. */
final class Mixer {
  private Mixer() {}

  /**
   * The rows in one list.
   *
   * @param shares how often each dataset has its turn; empty for strict turns. With shares the turns are drawn from
   *   {@code seed} (by this project's generator, so the draw differs from NumPy's)
   */
  static <T> List<T> mix(List<List<T>> datasets, MixStrategy strategy, List<Double> shares, long seed) {
    if (datasets.size() == 1 || strategy == MixStrategy.CONCAT) {
      return datasets.stream().flatMap(List::stream).toList();
    }
    var random = new MersenneTwister(seed);
    int[] next = new int[datasets.size()];
    boolean[] exhausted = new boolean[datasets.size()];
    var mixed = new ArrayList<T>();
    int round = 0;
    while (!isOver(strategy, exhausted, round % datasets.size() == 0 || !shares.isEmpty())) {
      int turn = shares.isEmpty() ? round % datasets.size() : draw(random, shares);
      round++;
      if (exhausted[turn] && strategy == MixStrategy.INTERLEAVE_ONCE) {
        continue;
      }
      List<T> rows = datasets.get(turn);
      mixed.add(rows.get(next[turn]));
      next[turn] = (next[turn] + 1) % rows.size();
      exhausted[turn] |= next[turn] == 0;
    }
    return mixed;
  }

  /** Whether the last row is taken. Strict turns end with a whole round. */
  private static boolean isOver(MixStrategy strategy, boolean[] exhausted, boolean betweenRounds) {
    int done = 0;
    for (boolean one : exhausted) {
      done += one ? 1 : 0;
    }
    boolean enough = strategy == MixStrategy.INTERLEAVE_UNDER ? done > 0 : done == exhausted.length;
    return enough && betweenRounds;
  }

  private static int draw(MersenneTwister random, List<Double> shares) {
    double[] ends = new double[shares.size()];
    double sum = 0;
    for (int i = 0; i < ends.length; i++) {
      sum += shares.get(i);
      ends[i] = sum;
    }
    double point = random.nextFloat() * sum;
    int index = Arrays.binarySearch(ends, point);
    return Math.min(index >= 0 ? index + 1 : -index - 1, ends.length - 1);
  }
}
