package dev.jqlora.training.data;

/**
 * One training sequence.
 *
 * @param inputIds token ids [n]
 * @param labels token ids [n], not yet shifted: {@code labels[i]} is {@code inputIds[i]} where that token is learned,
 *   else {@link #IGNORED}
 * @param segmentStarts ascending, beginning with 0: where each packed row starts; positions begin anew there
 * @param isolated whether a segment attends to itself only, rather than also to those before it
 */
public record Example(int[] inputIds, int[] labels, int[] segmentStarts, boolean isolated) {
  /** The label of a token that is not learned. */
  public static final int IGNORED = -100;

  private static final int[] ONE_SEGMENT = {0};

  public Example {
    if (inputIds.length == 0 || inputIds.length != labels.length) {
      throw new IllegalArgumentException(inputIds.length + " ids with " + labels.length + " labels");
    }
    if (segmentStarts.length == 0 || segmentStarts[0] != 0) {
      throw new IllegalArgumentException("the first segment must start at 0");
    }
  }

  /** A sequence of one segment. */
  public Example(int[] inputIds, int[] labels) {
    this(inputIds, labels, ONE_SEGMENT, false);
  }

  /** Number of tokens. */
  public int length() {
    return inputIds.length;
  }

  /** Number of terms in the loss: learned tokens that another token precedes. */
  public int targets() {
    int targets = 0;
    for (int i = 1; i < labels.length; i++) {
      if (labels[i] != IGNORED) {
        targets++;
      }
    }
    return targets;
  }
}
