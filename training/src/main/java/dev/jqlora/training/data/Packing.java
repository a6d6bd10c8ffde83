package dev.jqlora.training.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Fills sequences with several examples, greedily: the longest that still fits comes next. */
final class Packing {
  private Packing() {}

  /**
   * Packs examples of at most {@code capacity} tokens each.
   *
   * @param isolated whether an example attends to itself only, or also to those before it in its pack
   */
  static List<Example> pack(List<Example> examples, int capacity, boolean isolated) {
    TreeMap<Integer, Deque<Example>> byLength = new TreeMap<>();
    for (Example example : examples) {
      byLength.computeIfAbsent(example.length(), _ -> new ArrayDeque<>()).push(example);
    }
    var packs = new ArrayList<Example>();
    while (!byLength.isEmpty()) {
      var pack = new ArrayList<Example>();
      int room = capacity;
      Map.Entry<Integer, Deque<Example>> fit = byLength.floorEntry(room);
      if (fit == null) {
        throw new IllegalArgumentException("an example is longer than " + capacity);
      }
      while (fit != null) {
        pack.add(fit.getValue().pop());
        room -= fit.getKey();
        if (fit.getValue().isEmpty()) {
          byLength.remove(fit.getKey());
        }
        fit = byLength.floorEntry(room);
      }
      packs.add(join(pack, isolated));
    }
    return packs;
  }

  private static Example join(List<Example> pack, boolean isolated) {
    int length = pack.stream().mapToInt(Example::length).sum();
    int[] ids = new int[length];
    int[] labels = new int[length];
    int[] starts = new int[pack.size()];
    int offset = 0;
    for (int i = 0; i < pack.size(); i++) {
      Example example = pack.get(i);
      starts[i] = offset;
      System.arraycopy(example.inputIds(), 0, ids, offset, example.length());
      System.arraycopy(example.labels(), 0, labels, offset, example.length());
      offset += example.length();
    }
    return new Example(ids, labels, starts, isolated);
  }
}
