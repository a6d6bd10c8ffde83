package dev.jqlora.engine.testkit;

import java.util.List;

/**
 * The sizes of a real model, for the shapes that benchmarks use; from its {@code config.json}.
 *
 * @param hidden width of the residual stream
 * @param intermediate width within the feed-forward layer
 * @param tokens length of the sequence that is timed
 */
public record ModelShape(String name, int hidden, int heads, int kvHeads, int headDim, int intermediate, int vocab,
    int tokens) {
  public static final ModelShape LLAMA_3_2_1B = new ModelShape("Llama-3.2-1B", 2048, 32, 8, 64, 8192, 128256, 512);
  public static final ModelShape LLAMA_3_8B = new ModelShape("Llama-3-8B", 4096, 32, 8, 128, 14336, 128256, 512);
  public static final List<ModelShape> ALL = List.of(LLAMA_3_2_1B, LLAMA_3_8B);

  /** Width of all key heads together, and of all value heads. */
  public int kvWidth() {
    return kvHeads * headDim;
  }
}
