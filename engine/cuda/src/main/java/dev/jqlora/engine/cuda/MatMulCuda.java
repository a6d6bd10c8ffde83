package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code mat_mul.cu}: tiles of the product, or for a single row a warp for each of its elements. */
final class MatMulCuda implements CudaKernel<MatMul> {
  private static final String FILE = "mat_mul";
  /** Rows and columns of the product that a block computes. */
  private static final int TILE = 64;
  private static final int ROW_THREADS = 128;

  @Override
  public Class<MatMul> op() {
    return MatMul.class;
  }

  @Override
  public Support supports(MatMul op, List<TensorType> inputs, List<TensorType> outputs) {
    if (!op.storesBf16(inputs)) {
      return Support.NATIVE;
    }
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    if (b.dtype() != DType.F32 && (a.dtype() == DType.F32 || op.dtype() == DType.F32)) {
      return new Support.Unsupported("no kernel for %s by %s to %s".formatted(a.dtype(), b.dtype(), op.dtype()));
    }
    return TensorCores.takeLines(a.dtype(), a.shape().last()) && TensorCores.takeLines(b.dtype(), b.shape().last())
        ? Support.NATIVE
        : TensorCores.OTHER_LINES;
  }

  @Override
  public void enqueue(MatMul op, Call call) {
    Buffer a = call.input(0);
    Buffer b = call.input(1);
    Shape c = call.output(0).shape();
    int inner = a.dim(op.transposeA() ? -2 : -1);
    if (op.equals(MatMul.NT) && a.type().dtype() == DType.F32 && c.rank() == 2 && c.dim(0) == 1) {
      call.launcher().launch(FILE, "mat_vec_" + Operands.suffix(b), rowGrid(c.dim(1)), ROW_THREADS, a.address(),
          b.address(), c.dim(1), inner, call.out(0));
      return;
    }
    multiply(call, op, new Factor(a.address(), a.type().dtype()), new Factor(b.address(), b.type().dtype()),
        new Extents(batches(c), c.dim(-2), c.dim(-1), inner), false, call.out(0));
  }

  /** Extents of the axes before the last two, multiplied. */
  private static int batches(Shape c) {
    return Math.toIntExact(new Shape(c.dims().subList(0, c.rank() - 2)).elements());
  }

  /** Blocks whose warps compute one element each. */
  static Grid rowGrid(int n) {
    return Grid.of(Math.ceilDiv(n, ROW_THREADS / 32));
  }

  /** {@code c [m, n] = op(a) · op(b)}, or added to c; for kernels that are products among other things. */
  static void multiply(Call call, MatMul op, Factor a, Factor b, Extents extents, boolean accumulate, long c) {
    multiply(call, op, a, b, extents, 1f, accumulate, c);
  }

  /** The same times a factor. */
  static void multiply(Call call, MatMul op, Factor a, Factor b, Extents extents, float factor, boolean accumulate,
      long c) {
    if (extents.k == 0) {
      // The kernels on tensor cores begin with a step of the inner axis.
      if (!accumulate) {
        call.fillWithZeros(c, op.dtype(), (long) extents.batches * extents.m * extents.n);
      }
      return;
    }
    boolean storesBf16 = a.dtype == DType.BF16 || op.dtype() == DType.BF16;
    boolean tensorCores = storesBf16 || call.launcher().precision() == Precision.BF16
        && TensorCores.take(a.address, a.dtype, op.transposeA() ? extents.m : extents.k)
        && TensorCores.take(b.address, b.dtype, op.transposeB() ? extents.k : extents.n);
    Grid tiles = tensorCores ? TensorCores.tiles(extents.m, extents.n) : tiles(extents.m, extents.n);
    String kernel = tensorCores
        ? "mat_mul_mma_%s_%s_%s".formatted(Operands.suffix(a.dtype), Operands.suffix(b.dtype),
            Operands.suffix(op.dtype()))
        : "mat_mul_" + Operands.suffix(b.dtype);
    call.launch(FILE, kernel, new Grid(tiles.x(), tiles.y(), extents.batches), a.address, op.transposeA() ? 1 : 0,
        b.address, op.transposeB() ? 1 : 0, extents.m, extents.n, extents.k, factor, accumulate ? 1 : 0, c);
  }

  /** One block for each tile of an {@code [m, n]} product in float32. */
  static Grid tiles(int m, int n) {
    return Grid.of(Math.ceilDiv(n, TILE), Math.ceilDiv(m, TILE));
  }

  /** A matrix that is multiplied: a device address and what stands there. */
  record Factor(long address, DType dtype) {}

  /** Extents of products {@code [m, k] · [k, n]}, one behind another. */
  record Extents(int batches, int m, int n, int k) {
    Extents(int m, int n, int k) {
      this(1, m, n, k);
    }
  }
}
