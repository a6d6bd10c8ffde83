package dev.jqlora.engine.cpu;

import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * The output head, whatever its weight is stored as, over blocks of rows: logits by {@link Gemm} into scratch memory, then
 * what is wanted of them. The logits of all rows never exist at once, and for the loss those of rows without a target not
 * at all: a block's rows are gathered from those that have one.
 *
 * @param x F32 {@code [n, width]}
 * @param w {@code [vocab, width]}
 */
record HeadKernel(CpuKernel.Call call, Tensor x, MatrixSource w) {
  /** Scratch memory: a block's rows of x, later of dx, their labels, losses and logits, and what products need. */
  private record Memory(MemorySegment rows, MemorySegment labels, MemorySegment nll, MemorySegment logits,
      MemorySegment products) {
    static Memory of(ScratchParts parts, TensorType x, TensorType w, int threads) {
      int rows = LogitsBlock.rows(x, w);
      int width = x.shape().last();
      int vocab = w.shape().dim(0);
      return new Memory(parts.floats((long) rows * width), parts.floats(rows), parts.floats(rows),
          parts.floats((long) rows * vocab),
          parts.bytes(Math.max(Gemm.scratchBytes(rows, Math.max(width, vocab), threads),
              Gemm.scratchBytes(vocab, rows, threads))));
    }
  }

  /** Bytes of scratch for x and w of these types. */
  static long scratchBytes(TensorType x, TensorType w, int threads) {
    ScratchParts parts = ScratchParts.counting();
    Memory.of(parts, x, w, threads);
    return parts.bytes();
  }

  private Memory memory() {
    return Memory.of(ScratchParts.of(call.scratch()), x.type(), TensorType.f32(w.rows(), w.columns()),
        call.workers().threads());
  }

  /** Rows whose logits exist at a time. */
  private int step() {
    return LogitsBlock.rows(x.type(), TensorType.f32(w.rows(), w.columns()));
  }

  private Tensor logits(Tensor rows, Memory memory) {
    Tensor logits = LogitsBlock.of(memory.logits, 0, rows.type().shape().dim(0), w.rows());
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(rows)), Gemm.Operand.transposed(w), 1, false,
        logits.data(), memory.products);
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
    Memory memory = memory();
    nll.fill((byte) 0);
    if (dx != null) {
      dx.fill((byte) 0);
    }
    if (dw != null) {
      dw.fill((byte) 0);
    }
    int[] targets = IntStream.range(0, n).filter(row -> FloatMemory.getInt(labels, row) >= 0).toArray();
    for (int first = 0; first < targets.length; first += step()) {
      int count = Math.min(step(), targets.length - first);
      for (int i = 0; i < count; i++) {
        copyRow(x.data(), targets[first + i], memory.rows, i, w.columns());
        copyRow(labels, targets[first + i], memory.labels, i, 1);
      }
      crossEntropy(count, memory, dx != null, dw);
      for (int i = 0; i < count; i++) {
        copyRow(memory.nll, i, nll, targets[first + i], 1);
        if (dx != null) {
          copyRow(memory.rows, i, dx, targets[first + i], w.columns());
        }
      }
    }
    double sum = 0;
    for (int i = 0; i < n; i++) {
      sum += FloatMemory.get(nll, i);
    }
    FloatMemory.set(loss, 0, (float) sum);
  }

  /** One block; its rows become their gradient where that is wanted, and their part of dw is added to dw. */
  private void crossEntropy(int count, Memory memory, boolean gradient, @Nullable MemorySegment dw) {
    Tensor rows = LogitsBlock.of(memory.rows, 0, count, w.columns());
    Tensor logits = logits(rows, memory);
    CrossEntropyKernel.lossAndGradient(call.workers(), logits.data(), memory.labels, count, w.rows(), memory.nll,
        gradient || dw != null);
    if (dw != null) {
      call.gemm().multiply(Gemm.Operand.transposed(MatrixSource.of(logits)), Gemm.Operand.plain(MatrixSource.of(rows)),
          1, true, dw, memory.products);
    }
    if (gradient) {
      call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(logits)), Gemm.Operand.plain(w), 1, false, rows.data(),
          memory.products);
    }
  }

  /** Copies a row of numbers of four bytes. */
  private static void copyRow(MemorySegment from, int row, MemorySegment to, int target, int width) {
    long bytes = (long) width * Float.BYTES;
    MemorySegment.copy(from, row * bytes, to, target * bytes, bytes);
  }

  /** The id of each row's largest logit, I32 {@code [n]}. */
  void argMax(MemorySegment ids) {
    int n = x.type().shape().dim(0);
    int vocab = w.rows();
    Memory memory = memory();
    for (int first = 0; first < n; first += step()) {
      int rows = Math.min(step(), n - first);
      int begin = first;
      Tensor logits = logits(LogitsBlock.of(x.data(), first, rows, w.columns()), memory);
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
