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

  @Override
  public Support supports(LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(LogitsBlock.bytes(inputs.get(0), inputs.get(1)));
  }

  @Override
  public void run(LinearCrossEntropy op, Call call) {
    Tensor x = call.input(0);
    Tensor w = call.input(1);
    int n = x.type().shape().dim(0);
    int width = x.type().shape().dim(1);
    int vocab = w.type().shape().dim(0);
    int step = LogitsBlock.rows(x.type(), w.type());
    boolean gradient = op.inputGradient() || op.weightGradient();
    MemorySegment dw = op.weightGradient() ? call.out(op.inputGradient() ? 3 : 2) : MemorySegment.NULL;
    for (int row = 0; row < n; row += step) {
      int rows = Math.min(step, n - row);
      Tensor block = LogitsBlock.of(x.data(), row, rows, width);
      Tensor logits = LogitsBlock.of(call.scratch(), 0, rows, vocab);
      call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(block)), Gemm.Operand.transposed(MatrixSource.of(w)), 1,
          false, logits.data());
      CrossEntropyKernel.lossAndGradient(call.workers(), logits.data(), call.in(2).asSlice(4L * row, 4L * rows), rows,
          vocab,
          call.out(1).asSlice(4L * row, 4L * rows), gradient);
      if (op.inputGradient()) {
        call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(logits)), Gemm.Operand.plain(MatrixSource.of(w)), 1,
            false, LogitsBlock.of(call.out(2), row, rows, width).data());
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
}
