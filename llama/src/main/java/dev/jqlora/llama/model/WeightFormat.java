package dev.jqlora.llama.model;

import dev.jqlora.engine.tensor.DType;

/** How a matrix of weights is stored on the device. */
public sealed interface WeightFormat {
  /** As numbers of 16 or 32 bits. */
  record Plain(DType dtype) implements WeightFormat {}

  /** As 4-bit codes; {@code nested} with double quantization. */
  record Nf4(int blockSize, boolean nested) implements WeightFormat {}
}
