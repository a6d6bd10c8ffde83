package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.MatMulCuda.Factor;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
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

  /** Whether there is a kernel for a product of the weight with such a matrix. */
  static Support supports(Nf4Weight weight, TensorType x) {
    return x.dtype() == DType.F32 || takeCodes(weight) && TensorCores.takeLines(x.dtype(), x.shape().last())
        ? Support.NATIVE
        : TensorCores.OTHER_LINES;
  }

  private static boolean takeCodes(Nf4Weight weight) {
    return weight.in() % CODES == 0 && weight.blockSize() % CODES == 0;
  }

  /**
   * A product with the weight whose tensors are the call's inputs from 1 on.
   *
   * @param file the kernel in float32 too; the one on tensor cores is named the same and {@code _mma}, with
   *     activations in BF16 {@code _mma_bf16}
   * @param x rows of so many columns as inner says
   * @param y rows of so many columns as columns says, stored as x
   */
  static void multiply(CudaKernel.Call call, String file, Nf4Weight weight, Factor x, int rows, int inner, int columns,
      long y) {
    if (inner == 0) {
      call.fillWithZeros(y, x.dtype(), (long) rows * columns);
      return;
    }
    List<Object> arguments = new ArrayList<>(List.of(x.address()));
    arguments.addAll(arguments(weight, call));
    arguments.addAll(List.of(rows, weight.out(), weight.in(), y));
    launch(call, file, x, tensorCoresTake(call, weight, x, inner), rows, columns, arguments);
  }

  /**
   * What an adapter adds to the sums of a product.
   *
   * @param low F32 {@code [rows, rank]}
   * @param matrix F32, whose lines are of so many elements
   * @param others what the kernel takes besides
   */
  record Adapter(long low, long matrix, int line, int rank, List<Long> others) {
    /**
     * Kernels with an adapter are for more rows than one, and for ranks whose lines can be copied in pieces.
     *
     * @param x what is multiplied by the weight
     */
    static Support supports(Nf4Weight weight, TensorType x, int rank, long scratchBytes) {
      if (x.shape().dim(0) == 1) {
        return new Support.Unsupported("a single row is computed another way");
      }
      if (rank == 0 || weight.out() == 0 || weight.in() == 0) {
        return new Support.Unsupported("a sum without terms is computed another way");
      }
      if (!TensorCores.takeLines(DType.F32, rank)) {
        return new Support.Unsupported("ranks that are no multiple of 4 would keep the product off tensor cores");
      }
      return Nf4Operand.supports(weight, x) instanceof Support.Unsupported unsupported
          ? unsupported
          : new Support.Native(scratchBytes);
    }
  }

  /** A product of the call's first input with the weight that stands behind it, and an adapter's; see the other one. */
  static void multiply(CudaKernel.Call call, String file, Nf4Weight weight, int inner, int columns, Adapter adapter) {
    Factor x = new Factor(call.in(0), call.input(0).type().dtype());
    int rows = call.input(0).dim(0);
    List<Object> arguments = new ArrayList<>(List.of(x.address()));
    arguments.addAll(arguments(weight, call));
    arguments.addAll(List.of(adapter.low, adapter.matrix));
    arguments.addAll(adapter.others);
    arguments.addAll(List.of(rows, weight.out(), weight.in(), adapter.rank, call.out(0)));
    boolean tensorCores = tensorCoresTake(call, weight, x, inner)
        && TensorCores.take(adapter.low, DType.F32, adapter.rank)
        && TensorCores.take(adapter.matrix, DType.F32, adapter.line);
    launch(call, file, x, tensorCores, rows, columns, arguments);
  }

  private static boolean tensorCoresTake(CudaKernel.Call call, Nf4Weight weight, Factor x, int inner) {
    return call.launcher().precision() == Precision.BF16 && takeCodes(weight)
        && TensorCores.take(call.in(1), DType.U8, weight.in() / 2) && TensorCores.take(x.address(), x.dtype(), inner);
  }

  private static void launch(CudaKernel.Call call, String file, Factor x, boolean tensorCores, int rows, int columns,
      List<Object> arguments) {
    boolean storesBf16 = x.dtype() == DType.BF16;
    if (storesBf16 || tensorCores) {
      call.launch(file, file + (storesBf16 ? "_mma_bf16" : "_mma"), TensorCores.tiles(rows, columns),
          arguments.toArray());
    } else {
      call.launch(file, file, MatMulCuda.tiles(rows, columns), arguments.toArray());
    }
  }
}
