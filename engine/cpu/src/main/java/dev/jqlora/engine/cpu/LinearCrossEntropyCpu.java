package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Blocks of rows: logits by {@link Gemm} into scratch memory, their loss and gradient in place by {@link CrossEntropyKernel},
 * then the products with the gradient. The logits of all rows never exist at once.
 */
final class LinearCrossEntropyCpu implements CpuKernel<LinearCrossEntropy> {
  @Override
  public Class<LinearCrossEntropy> op() {
    return LinearCrossEntropy.class;
  }

  /** Most bytes of logits at a time: with Llama 3's vocabulary, 256 rows. */
  private static final long LOGITS_BYTES = 1L << 27;

  private static int rowsAtATime(TensorType x, TensorType w) {
    long fit = LOGITS_BYTES / Float.BYTES / Math.max(1, w.shape().dim(0));
    return (int) Math.max(1, Math.min(x.shape().dim(0), fit));
  }

  @Override
  public Support supports(LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    long rows = rowsAtATime(inputs.get(0), inputs.get(1));
    return new Support.Native(rows * inputs.get(1).shape().dim(0) * Float.BYTES);
  }

  @Override
  public void run(LinearCrossEntropy op, Call call) {
    Tensor x = call.input(0);
    Tensor w = call.input(1);
    int n = x.type().shape().dim(0);
    int width = x.type().shape().dim(1);
    int vocab = w.type().shape().dim(0);
    int step = rowsAtATime(x.type(), w.type());
    boolean gradient = op.inputGradient() || op.weightGradient();
    MemorySegment dw = op.weightGradient() ? call.out(op.inputGradient() ? 3 : 2) : MemorySegment.NULL;
    for (int row = 0; row < n; row += step) {
      int rows = Math.min(step, n - row);
      Tensor block = rows(x.data(), row, rows, width);
      Tensor logits = rows(call.scratch(), 0, rows, vocab);
      call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(block)), Gemm.Operand.transposed(MatrixSource.of(w)), 1,
          false, logits.data());
      CrossEntropyKernel.lossAndGradient(call.workers(), logits.data(), call.in(2).asSlice(4L * row, 4L * rows), rows,
          vocab,
          call.out(1).asSlice(4L * row, 4L * rows), gradient);
      if (op.inputGradient()) {
        call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(logits)), Gemm.Operand.plain(MatrixSource.of(w)), 1,
            false, rows(call.out(2), row, rows, width).data());
      }
      if (op.weightGradient()) {
        call.gemm().multiply(Gemm.Operand.transposed(MatrixSource.of(logits)),
            Gemm.Operand.plain(MatrixSource.of(block)), 1, row > 0, dw);
      }
    }
    double loss = 0;
    for (int i = 0; i < n; i++) {
      loss += FloatMemory.get(call.out(1), i);
    }
    FloatMemory.set(call.out(0), 0, (float) loss);
  }

  private static Tensor rows(MemorySegment memory, int first, int rows, int width) {
    TensorType type = TensorType.f32(rows, width);
    return new Tensor(type, memory.asSlice((long) first * width * Float.BYTES, type.bytes()));
  }
}
