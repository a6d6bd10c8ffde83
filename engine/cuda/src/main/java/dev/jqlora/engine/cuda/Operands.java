package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.CudaKernel.Buffer;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Locale;

/** What several kernels make of their operands. */
final class Operands {
  /** The widest head that the attention kernels are compiled for. */
  static final int WIDEST_HEAD = 128;

  private Operands() {}

  /** Elementwise kernels take operands of one shape, or a single number for one of them. */
  static Support elementwise(List<TensorType> inputs, List<TensorType> outputs, DType... dtypes) {
    for (TensorType input : inputs) {
      if (!List.of(dtypes).contains(input.dtype())) {
        return new Support.Unsupported("the elementwise kernel is for " + List.of(dtypes));
      }
      if (input.elements() != 1 && input.elements() != outputs.getFirst().elements()) {
        return new Support.Unsupported("elementwise kernels repeat single numbers only");
      }
    }
    return Support.NATIVE;
  }

  /** How far it is to an operand's next element: nowhere, for a single number. */
  static int step(Buffer operand) {
    return operand.type().elements() == 1 ? 0 : 1;
  }

  /** An element type's number in {@code jqlora.cuh}. */
  static int code(Buffer operand) {
    return switch (operand.type().dtype()) {
      case F32 -> 0;
      case BF16 -> 1;
      case F16 -> 2;
      case I32 -> 3;
      case U8 -> 4;
    };
  }

  /** How the names of kernels for an element type end: f32, bf16, f16. */
  static String suffix(Buffer operand) {
    return suffix(operand.type().dtype());
  }

  static String suffix(DType dtype) {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  /** Attention kernels are compiled for heads of 32, 64 and 128 columns; narrower heads leave some idle. */
  static int compiledHead(int headDim) {
    return headDim <= 32 ? 32 : headDim <= 64 ? 64 : WIDEST_HEAD;
  }

  /** @param q the queries, as which the other activations are stored */
  static Support attention(TensorType q, int headDim, long scratchBytes) {
    if (headDim > WIDEST_HEAD) {
      return new Support.Unsupported("attention kernels are for heads of up to %d columns".formatted(WIDEST_HEAD));
    }
    return q.dtype() == DType.F32 || TensorCores.takeLines(q.dtype(), headDim)
        ? new Support.Native(scratchBytes)
        : TensorCores.OTHER_LINES;
  }

  /** Factor of the scores, {@code 1 / √headDim}. */
  static float scoreFactor(int headDim) {
    return (float) (1 / Math.sqrt(headDim));
  }
}
