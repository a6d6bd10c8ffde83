package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4Weight;
import java.util.List;

/** An NF4 weight among a call's operands, as the kernels of {@code nf4.cuh} take it. */
final class Nf4Operand {
  private Nf4Operand() {}

  /** codes, absmax, absmax codes, map, nested absmax, offset (0 where the format has none) and the block size's logarithm. */
  static List<Object> arguments(Nf4Weight weight, CudaKernel.Call call) {
    int shift = Integer.numberOfTrailingZeros(weight.blockSize());
    return weight.nested()
        ? List.of(call.in(1), 0L, call.in(2), call.in(3), call.in(4), call.in(5), shift)
        : List.of(call.in(1), call.in(2), 0L, 0L, 0L, 0L, shift);
  }
}
