package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Logits by {@link Gemm}, some rows at a time, then a search along each row. */
final class LinearArgMaxCpu implements CpuKernel<LinearArgMax> {
  @Override
  public Class<LinearArgMax> op() {
    return LinearArgMax.class;
  }

  @Override
  public Support supports(LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(LogitsBlock.bytes(inputs.get(0), inputs.get(1)));
  }

  @Override
  public void run(LinearArgMax op, Call call) {
    Tensor w = call.input(1);
    int n = call.input(0).type().shape().dim(0);
    int width = call.input(0).type().shape().dim(1);
    int vocab = w.type().shape().dim(0);
    int step = LogitsBlock.rows(call.input(0).type(), w.type());
    for (int first = 0; first < n; first += step) {
      int rows = Math.min(step, n - first);
      int begin = first;
      Tensor logits = LogitsBlock.of(call.scratch(), 0, rows, vocab);
      call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(LogitsBlock.of(call.in(0), first, rows, width))),
          Gemm.Operand.transposed(MatrixSource.of(w)), 1, false, logits.data());
      call.workers().rows(rows, vocab,
          row -> call.out(0).setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, begin + row, argMax(logits, row, vocab)));
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
