package dev.jqlora.engine.cpu;

import java.lang.foreign.MemorySegment;

/**
 * Grouped-query attention's extents: query head h reads key-value head {@code h / group}. All matrices are float32,
 * {@code [tokens, heads or kvHeads, headDim]}.
 */
record AttentionShape(int heads, int kvHeads, int headDim) {
  AttentionShape {
    if (kvHeads < 1 || headDim < 1 || heads % kvHeads != 0) {
      throw new IllegalArgumentException("%d heads cannot share %d key-value heads".formatted(heads, kvHeads));
    }
  }

  /** Query heads that share a key-value head. */
  int group() {
    return heads / kvHeads;
  }

  /** Factor of the scores, {@code 1 / √headDim}. */
  float scale() {
    return (float) (1 / Math.sqrt(headDim));
  }

  /** The rows of all query heads that read one key-value head. */
  MatrixSource.Heads queries(MemorySegment q, int tokens, int kvHead) {
    return new MatrixSource.Heads(q, tokens, heads, kvHead * group(), group(), headDim);
  }

  /** The rows of one key-value head. */
  MatrixSource.Heads keys(MemorySegment k, int tokens, int kvHead) {
    return new MatrixSource.Heads(k, tokens, kvHeads, kvHead, 1, headDim);
  }

  /**
   * Which keys a query token sees: {@code first[token] ≤ key ≤ last[token]}.
   */
  record Visible(int[] first, int[] last) {
    /** Within a run of tokens: from the token's {@code start}, I32, to the token itself. */
    static Visible causal(MemorySegment start, int tokens) {
      int[] first = new int[tokens];
      int[] last = new int[tokens];
      for (int i = 0; i < tokens; i++) {
        first[i] = FloatMemory.getInt(start, i);
        last[i] = i;
      }
      return new Visible(first, last);
    }

    /** Over a cache: from its first row to the token's {@code position}, I32. */
    static Visible cached(MemorySegment positions, int tokens) {
      int[] last = new int[tokens];
      for (int i = 0; i < tokens; i++) {
        last[i] = FloatMemory.getInt(positions, i);
      }
      return new Visible(new int[tokens], last);
    }
  }
}
