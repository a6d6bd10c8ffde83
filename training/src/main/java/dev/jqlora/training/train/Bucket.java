package dev.jqlora.training.train;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.llama.model.LlamaGraph;
import dev.jqlora.training.data.MicroBatch;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * Lengths for which a program is compiled: a batch is filled up to the next one with tokens that attend to themselves
 * alone and have no target, so they change no other token's numbers.
 */
public final class Bucket {
  private static final int SMALLEST = 16;
  private static final int STEP = 64;

  private Bucket() {}

  /** The length of the program that takes so many tokens. */
  public static int of(int tokens) {
    return tokens <= STEP ? Math.ceilDiv(tokens, SMALLEST) * SMALLEST : Math.ceilDiv(tokens, STEP) * STEP;
  }

  /** A batch's feeds, filled up to n tokens. */
  public static Map<String, Tensor> feeds(MicroBatch batch, int n, EmbeddingTable embeddings) {
    int[] labels = Arrays.copyOf(batch.labels(), n);
    Arrays.fill(labels, batch.length(), n, LinearCrossEntropy.IGNORED);
    Map<String, Tensor> feeds = tokenFeeds(batch, n, embeddings);
    feeds.put(TrainPrograms.LABELS, Tensor.of(TensorType.i32(n), labels));
    return feeds;
  }

  /** A batch's feeds without its labels, filled up to n tokens. */
  public static Map<String, Tensor> tokenFeeds(MicroBatch batch, int n, EmbeddingTable embeddings) {
    int[] start = Arrays.copyOf(batch.start(), n);
    for (int i = batch.length(); i < n; i++) {
      start[i] = i;
    }
    TensorType type = TensorType.i32(n);
    Map<String, Tensor> feeds = new HashMap<>();
    embeddings.feed(Arrays.copyOf(batch.tokens(), n), feeds);
    feeds.put(LlamaGraph.POSITIONS, Tensor.of(type, Arrays.copyOf(batch.positions(), n)));
    feeds.put(LlamaGraph.START, Tensor.of(type, start));
    return feeds;
  }
}
