package dev.jqlora.training.train;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.llama.model.EmbeddingTable;
import dev.jqlora.training.data.MicroBatch;
import java.util.Arrays;
import java.util.Map;

/** Lengths for which a program is compiled: a batch is filled up to the next one. */
public final class Bucket {
  private static final int SMALLEST = 16;
  private static final int STEP = 64;

  private Bucket() {}

  /** The length of the program that takes so many tokens. */
  public static int of(int tokens) {
    return tokens <= STEP ? Math.ceilDiv(tokens, SMALLEST) * SMALLEST : Math.ceilDiv(tokens, STEP) * STEP;
  }

  /** A batch's feeds, filled up to n tokens; see {@link EmbeddingTable#feeds}. */
  static Map<String, Tensor> feeds(MicroBatch batch, int n, EmbeddingTable embeddings) {
    int[] labels = Arrays.copyOf(batch.labels(), n);
    Arrays.fill(labels, batch.length(), n, LinearCrossEntropy.IGNORED);
    Map<String, Tensor> feeds = embeddings.feeds(batch.tokens(), batch.positions(), batch.start(), n);
    feeds.put(TrainPrograms.LABELS, Tensor.of(TensorType.i32(n), labels));
    return feeds;
  }
}
