package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import java.util.Locale;

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
  public void enqueue(MatMul op, Call call) {
    Shape c = call.output(0).shape();
    int inner = call.input(0).shape().dim(op.transposeA() ? -2 : -1);
    if (op.equals(MatMul.NT) && c.rank() == 2 && c.dim(0) == 1) {
      String kernel = "mat_vec_" + Operands.suffix(call.input(1));
      call.launcher().launch(FILE, kernel, rowGrid(c.dim(1)), ROW_THREADS, call.in(0), call.in(1), c.dim(1), inner,
          call.out(0));
      return;
    }
    multiply(call, op, call.in(0), call.in(1), call.input(1).type().dtype(),
        new Extents(Math.toIntExact(c.elements() / ((long) c.dim(-2) * c.dim(-1))), c.dim(-2), c.dim(-1), inner), false,
        call.out(0));
  }

  /** Blocks whose warps compute one element each. */
  static Grid rowGrid(int n) {
    return Grid.of(Math.ceilDiv(n, ROW_THREADS / 32));
  }

  /**
   * {@code c [m, n] = op(a) · op(b)}, or added to c; for kernels that are products among other things.
   *
   * @param b F32, BF16 or F16
   */
  static void multiply(Call call, MatMul op, long a, long b, DType dtype, Extents extents, boolean accumulate, long c) {
    multiply(call, op, a, b, dtype, extents, 1f, accumulate, c);
  }

  /** The same times a factor. */
  static void multiply(Call call, MatMul op, long a, long b, DType dtype, Extents extents, float factor,
      boolean accumulate, long c) {
    boolean tensorCores = call.launcher().precision() == Precision.BF16
        && TensorCores.take(a, DType.F32, op.transposeA() ? extents.m : extents.k)
        && TensorCores.take(b, dtype, op.transposeB() ? extents.k : extents.n);
    Grid tiles = tensorCores ? TensorCores.tiles(extents.m, extents.n) : tiles(extents.m, extents.n);
    String kernel = (tensorCores ? "mat_mul_mma_" : "mat_mul_") + dtype.name().toLowerCase(Locale.ROOT);
    call.launch(FILE, kernel, new Grid(tiles.x(), tiles.y(), extents.batches), a, op.transposeA() ? 1 : 0, b,
        op.transposeB() ? 1 : 0, extents.m, extents.n, extents.k, factor, accumulate ? 1 : 0, c);
  }

  /** One block for each tile of an {@code [m, n]} product in float32. */
  static Grid tiles(int m, int n) {
    return Grid.of(Math.ceilDiv(n, TILE), Math.ceilDiv(m, TILE));
  }

  /** Extents of products {@code [m, k] · [k, n]}, one behind another. */
  record Extents(int batches, int m, int n, int k) {
    Extents(int m, int n, int k) {
      this(1, m, n, k);
    }
  }
}
