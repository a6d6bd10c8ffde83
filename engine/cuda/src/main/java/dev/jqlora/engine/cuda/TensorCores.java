package dev.jqlora.engine.cuda;

import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import java.util.stream.LongStream;

/** What the kernels of {@code mma.cuh} ask of their operands. */
final class TensorCores {
  /** Rows and columns of a product that a block makes, as in {@code gemm_mma.cuh}. */
  private static final int ROWS = 64;
  private static final int COLUMNS = 128;
  /** Rows of a head that a block works on, as in {@code attention_mma.cuh}. */
  private static final int HEAD_ROWS = 64;
  /** Operands are copied in pieces of so many bytes, which begin at a multiple of it. */
  private static final int PIECE_BYTES = 16;

  /** Products with activations in BF16 are computed on tensor cores or not at all. */
  static final Support OTHER_LINES = new Support.Unsupported(
      "products with activations in BF16 are for lines of multiples of %d bytes".formatted(PIECE_BYTES));

  private TensorCores() {}

  /** Whether lines of so many elements can be copied in pieces. Where they can, operands of whole lines lie as they must. */
  static boolean takeLines(DType dtype, int line) {
    return (long) line * dtype.bytes() % PIECE_BYTES == 0;
  }

  /** Whether an operand may be copied in pieces: it and each of its lines, of so many elements. */
  static boolean take(long address, DType dtype, int line) {
    return address % PIECE_BYTES == 0 && takeLines(dtype, line);
  }

  /** Whether attention over heads of so many columns is computed on them, its activations stored as the first input is. */
  static boolean takeHeads(CudaKernel.Call call, int headDim, long... operands) {
    DType dtype = call.input(0).type().dtype();
    return dtype == DType.BF16 || call.launcher().precision() == Precision.BF16
        && LongStream.of(operands).allMatch(operand -> take(operand, dtype, headDim));
  }

  /** Blocks of attention over rows that are queries, or keys, of so many heads. */
  static Grid heads(int rows, int heads) {
    return Grid.of(Math.ceilDiv(rows, HEAD_ROWS), heads);
  }

  /** Blocks of a product {@code [m, n]}. */
  static Grid tiles(int m, int n) {
    return Grid.of(Math.ceilDiv(n, COLUMNS), Math.ceilDiv(m, ROWS));
  }
}
