package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.SumOfSquares;

/** {@link SumOfSquaresKernel}. */
final class SumOfSquaresCpu implements CpuKernel<SumOfSquares> {
  @Override
  public Class<SumOfSquares> op() {
    return SumOfSquares.class;
  }

  @Override
  public void run(SumOfSquares op, Call call) {
    double sum = SumOfSquaresKernel.sum(call.workers(), call.in(0), call.input(0).type().elements());
    FloatMemory.set(call.out(0), 0, (float) sum);
  }
}
