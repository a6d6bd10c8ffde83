package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * The output head, whatever its weight is stored as, over blocks of rows: logits by {@link Gemm} into scratch memory, then
 * what is wanted of them. The logits of all rows never exist at once.
 *
 * @param x F32 {@code [n, width]}
 * @param w {@code [vocab, width]}
 */
record HeadKernel(CpuKernel.Call call, Tensor x, MatrixSource w) {
  /** Rows whose logits exist at a time. */
  private int step() {
    return LogitsBlock.rows(x.type(), TensorType.f32(w.rows(), w.columns()));
  }

  private Tensor rows(int first, int rows) {
    return LogitsBlock.of(x.data(), first, rows, w.columns());
  }

  private Tensor logits(Tensor rows) {
    Tensor logits = LogitsBlock.of(call.scratch(), 0, rows.type().shape().dim(0), w.rows());
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(rows)), Gemm.Operand.transposed(w), 1, false,
        logits.data());
    return logits;
  }

  /**
   * The loss of each row by {@link CrossEntropyKernel}, their sum in float64, and the products with the gradient.
   *
   * @param labels I32 {@code [n]}
   * @param dx F32 like x, or null
   * @param dw F32 like w, or null
   */
  void crossEntropy(MemorySegment labels, MemorySegment loss, MemorySegment nll, @Nullable MemorySegment dx,
      @Nullable MemorySegment dw) {
    int n = x.type().shape().dim(0);
    int vocab = w.rows();
    for (int row = 0; row < n; row += step()) {
      int rows = Math.min(step(), n - row);
      Tensor block = rows(row, rows);
      Tensor logits = logits(block);
      CrossEntropyKernel.lossAndGradient(call.workers(), logits.data(), labels.asSlice(4L * row, 4L * rows), rows,
          vocab,
          nll.asSlice(4L * row, 4L * rows), dx != null || dw != null);
      if (dx != null) {
        call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(logits)), Gemm.Operand.plain(w), 1, false,
            LogitsBlock.of(dx, row, rows, w.columns()).data());
      }
      if (dw != null) {
        call.gemm().multiply(Gemm.Operand.transposed(MatrixSource.of(logits)),
            Gemm.Operand.plain(MatrixSource.of(block)), 1, row > 0, dw);
      }
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += FloatMemory.get(nll, i);
    }
    FloatMemory.set(loss, 0, (float) sum);
  }

  /** The id of each row's largest logit, I32 {@code [n]}. */
  void argMax(MemorySegment ids) {
    int n = x.type().shape().dim(0);
    int vocab = w.rows();
    for (int first = 0; first < n; first += step()) {
      int rows = Math.min(step(), n - first);
      int begin = first;
      Tensor logits = logits(rows(first, rows));
      call.workers().rows(rows, vocab,
          row -> ids.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, begin + row, argMax(logits, row, vocab)));
    }
  }

  private static int argMax(Tensor logits, int row, int vocab) {
    int best = 0;
    float largest = Float.NEGATIVE_INFINITY;
    for (int id = 0; id < vocab; id++) {
      float logit = FloatMemory.get(logits.data(), (long) row * vocab + id);
      if (logit > largest) {
        largest = logit;
        best = id;
      }
    }
    return best;
  }
}
