package dev.jqlora.engine.tornado;

import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** What several kernels ask of their operands. */
final class Operands {
  private Operands() {}

  /** Elementwise kernels take F32 operands of one shape, or a single number for one of them. */
  static Support elementwise(List<TensorType> inputs, List<TensorType> outputs) {
    for (TensorType input : inputs) {
      if (input.dtype() != DType.F32) {
        return new Support.Unsupported("elementwise kernels are for F32");
      }
      if (input.elements() != 1 && input.elements() != outputs.getFirst().elements()) {
        return new Support.Unsupported("elementwise kernels repeat single numbers only");
      }
    }
    return Support.NATIVE;
  }
}
