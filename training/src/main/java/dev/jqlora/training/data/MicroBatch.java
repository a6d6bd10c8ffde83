package dev.jqlora.training.data;

import java.util.List;

/**
 * What one forward and backward pass reads: its sequences one after another, without padding. N is the sum of their
 * lengths.
 *
 * @param tokens token ids [N]
 * @param positions rotary positions [N]; they begin at 0 in each segment
 * @param start [N]: index in this batch of the first token that this one attends to (up to and including itself)
 * @param labels [N]: the id that this token must predict, or {@link Example#IGNORED}; always so at a sequence's end
 * @param targets labels that are not ignored
 */
public record MicroBatch(int[] tokens, int[] positions, int[] start, int[] labels, int targets) {
  /** The sequences in their order. */
  public static MicroBatch of(List<Example> examples) {
    if (examples.isEmpty()) {
      throw new IllegalArgumentException("a batch without sequences");
    }
    int length = Math.toIntExact(examples.stream().mapToLong(Example::length).sum());
    int[] tokens = new int[length];
    int[] positions = new int[length];
    int[] start = new int[length];
    int[] labels = new int[length];
    int targets = 0;
    int offset = 0;
    for (Example example : examples) {
      System.arraycopy(example.inputIds(), 0, tokens, offset, example.length());
      System.arraycopy(example.labels(), 1, labels, offset, example.length() - 1);
      labels[offset + example.length() - 1] = Example.IGNORED;
      int segment = 0;
      int[] segmentStarts = example.segmentStarts();
      for (int i = 0; i < example.length(); i++) {
        if (segment + 1 < segmentStarts.length && segmentStarts[segment + 1] == i) {
          segment++;
        }
        positions[offset + i] = i - segmentStarts[segment];
        start[offset + i] = example.isolated() ? offset + segmentStarts[segment] : offset;
      }
      targets += example.targets();
      offset += example.length();
    }
    return new MicroBatch(tokens, positions, start, labels, targets);
  }

  /** Number of tokens. */
  public int length() {
    return tokens.length;
  }
}
