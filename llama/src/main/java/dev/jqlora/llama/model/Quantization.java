package dev.jqlora.llama.model;

/**
 * What becomes NF4 while a model is loaded.
 *
 * @param projections whether the linear layers do that are not quantized yet
 * @param head whether the output head does; an embedding table that is tied to it stays as it is
 * @param nested whether the scales are quantized too (double quantization)
 */
public record Quantization(boolean projections, boolean head, boolean nested) {
  /** Everything stays as it is stored. */
  public static final Quantization NONE = new Quantization(false, false, true);
  /** The linear layers, with double quantization. */
  public static final Quantization NF4 = new Quantization(true, false, true);
}
