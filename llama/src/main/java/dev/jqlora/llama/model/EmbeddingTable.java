package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The embedding table of a loaded model, wherever it lies: it gives each run of a program what stands for its tokens. For
 * one thread.
 */
public sealed interface EmbeddingTable {
  /**
   * Adds the feed for some tokens, which must be in the vocabulary: {@link LlamaGraph#TOKENS} or
   * {@link LlamaGraph#EMBEDDINGS}. Its memory is used again by the next call.
   */
  void feed(int[] tokens, Map<String, Tensor> feeds);

  /**
   * The feeds with which sequences, one behind another, go through a program for n tokens. Tokens that attend to themselves
   * alone fill it up; they change no other token's numbers.
   *
   * @param tokens at most n, in the vocabulary
   * @param positions the rotary position of each token
   * @param start index of the first token that each token attends to
   */
  default Map<String, Tensor> feeds(int[] tokens, int[] positions, int[] start, int n) {
    int[] filledStart = Arrays.copyOf(start, n);
    for (int i = tokens.length; i < n; i++) {
      filledStart[i] = i;
    }
    TensorType type = TensorType.i32(n);
    Map<String, Tensor> feeds = new HashMap<>();
    feed(Arrays.copyOf(tokens, n), feeds);
    feeds.put(LlamaGraph.POSITIONS, Tensor.of(type, Arrays.copyOf(positions, n)));
    feeds.put(LlamaGraph.START, Tensor.of(type, filledStart));
    return feeds;
  }

  /** The table is a state of the session; the ids travel, and the device looks the rows up. */
  record InState() implements EmbeddingTable {
    @Override
    public void feed(int[] tokens, Map<String, Tensor> feeds) {
      feeds.put(LlamaGraph.TOKENS, Tensor.of(TensorType.i32(tokens.length), tokens));
    }
  }

  /** The table stays in the host's memory; the rows travel, in the table's own element type. */
  final class OnHost implements EmbeddingTable {
    private final Tensor table;
    /** Not on the heap, since many rows take more than an array may hold. */
    private MemorySegment rows = MemorySegment.NULL;

    /** @param table {@code [vocabulary, hiddenSize]}, in memory that must live as long as this object is used */
    OnHost(Tensor table) {
      this.table = table;
    }

    @Override
    public void feed(int[] tokens, Map<String, Tensor> feeds) {
      int width = table.type().shape().dim(1);
      long rowBytes = (long) width * table.type().dtype().bytes();
      TensorType type = table.type().withShape(Shape.of(tokens.length, width));
      if (rows.byteSize() < type.bytes()) {
        rows = Tensor.allocate(Arena.ofAuto(), type).data();
      }
      MemorySegment gathered = rows.asSlice(0, type.bytes());
      for (int i = 0; i < tokens.length; i++) {
        int id = Objects.checkIndex(tokens[i], table.type().shape().dim(0));
        MemorySegment.copy(table.data(), id * rowBytes, gathered, i * rowBytes, rowBytes);
      }
      feeds.put(LlamaGraph.EMBEDDINGS, new Tensor(type, gathered));
    }
  }
}
