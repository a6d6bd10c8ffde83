package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
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
    launch(call, file, tensorCoresTake(call, weight, x, inner), rows, columns, arguments);
  }

  /**
   * What an adapter adds to the sums of a product.
   *
   * @param low F32 {@code [rows, rank]}
   * @param matrix F32, whose lines are of so many elements
   * @param others what the kernel takes besides
   */
  record Adapter(long low, long matrix, int line, int rank, List<Long> others) {
    /** Kernels with an adapter are for more rows than one, and for ranks whose lines can be copied in pieces. */
    static Support supports(int rows, int rank, long scratchBytes) {
      if (rows == 1) {
        return new Support.Unsupported("a single row is computed another way");
      }
      return TensorCores.take(0, DType.F32, rank)
          ? new Support.Native(scratchBytes)
          : new Support.Unsupported("ranks that are no multiple of 4 would keep the product off tensor cores");
    }
  }

  /** A product of the call's first input with the weight that stands behind it, and an adapter's; see the other one. */
  static void multiply(CudaKernel.Call call, String file, Nf4Weight weight, int inner, int columns, Adapter adapter) {
    int rows = call.input(0).dim(0);
    List<Object> arguments = new ArrayList<>(List.of(call.in(0)));
    arguments.addAll(arguments(weight, call));
    arguments.addAll(List.of(adapter.low, adapter.matrix));
    arguments.addAll(adapter.others);
    arguments.addAll(List.of(rows, weight.out(), weight.in(), adapter.rank, call.out(0)));
    boolean tensorCores = tensorCoresTake(call, weight, call.in(0), inner)
        && TensorCores.take(adapter.low, DType.F32, adapter.rank)
        && TensorCores.take(adapter.matrix, DType.F32, adapter.line);
    launch(call, file, tensorCores, rows, columns, arguments);
  }

  private static boolean tensorCoresTake(CudaKernel.Call call, Nf4Weight weight, long x, int inner) {
    return call.launcher().precision() == Precision.BF16 && weight.in() % CODES == 0
        && weight.blockSize() % CODES == 0 && TensorCores.take(call.in(1), DType.U8, weight.in() / 2)
        && TensorCores.take(x, DType.F32, inner);
  }

  private static void launch(CudaKernel.Call call, String file, boolean tensorCores, int rows, int columns,
      List<Object> arguments) {
    if (tensorCores) {
      call.launch(file, file + "_mma", TensorCores.tiles(rows, columns), arguments.toArray());
    } else {
      call.launch(file, file, MatMulCuda.tiles(rows, columns), arguments.toArray());
    }
  }
}
