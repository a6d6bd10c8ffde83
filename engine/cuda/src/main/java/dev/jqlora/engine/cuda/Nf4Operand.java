package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** An NF4 weight among a call's operands, as the kernels of {@code nf4.cuh} and {@code gemm_mma.cuh} take it. */
final class Nf4Operand {
  /** Lines and blocks of codes on tensor cores are whole numbers of as many as 16 bytes hold. */
  private static final int CODES = 32;

  private Nf4Operand() {}

  /** codes, absmax, absmax codes, map, nested absmax, offset (0 where the format has none) and the block size's logarithm. */
  static List<Object> arguments(Nf4Weight weight, CudaKernel.Call call) {
    int shift = Integer.numberOfTrailingZeros(weight.blockSize());
    return weight.nested()
        ? List.of(call.in(1), 0L, call.in(2), call.in(3), call.in(4), call.in(5), shift)
        : List.of(call.in(1), call.in(2), 0L, 0L, 0L, 0L, shift);
  }

  /**
   * A product with the weight whose tensors are the call's inputs from 1 on.
   *
   * @param file the kernel in float32 too; the one on tensor cores is named the same and {@code _mma}
   * @param x rows of so many columns as inner says
   * @param y rows of so many columns as columns says
   */
  static void multiply(CudaKernel.Call call, String file, Nf4Weight weight, long x, int rows, int inner, int columns,
      long y) {
    List<Object> arguments = new ArrayList<>(List.of(x));
    arguments.addAll(arguments(weight, call));
    arguments.addAll(List.of(rows, weight.out(), weight.in(), y));
    boolean tensorCores = call.launcher().precision() == Precision.BF16 && weight.in() % CODES == 0
        && weight.blockSize() % CODES == 0 && TensorCores.take(call.in(1), DType.U8, weight.in() / 2)
        && TensorCores.take(x, DType.F32, inner);
    if (tensorCores) {
      call.launch(file, file + "_mma", TensorCores.tiles(rows, columns), arguments.toArray());
    } else {
      call.launch(file, file, MatMulCuda.tiles(rows, columns), arguments.toArray());
    }
  }
}
