package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.DType;
import java.util.Optional;

/** How a matrix of weights is stored on the device. */
public sealed interface WeightFormat {
  /** As numbers of 16 or 32 bits. */
  record Plain(DType dtype) implements WeightFormat {}

  /**
   * As 4-bit codes.
   *
   * @param nested with double quantization
   * @param source the element type of the checkpoint's numbers, which are quantized while they are loaded; empty where it has
   *     the codes
   */
  record Nf4(int blockSize, boolean nested, Optional<DType> source) implements WeightFormat {}
}
