package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code sum_of_squares.cu}. */
final class SumOfSquaresCuda implements CudaKernel<SumOfSquares> {
  @Override
  public Class<SumOfSquares> op() {
    return SumOfSquares.class;
  }

  /** Elements that a block sums. */
  private static final long RUN = 4096;

  @Override
  public Support supports(SumOfSquares op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Math.ceilDiv(inputs.getFirst().elements(), RUN) * Float.BYTES);
  }

  @Override
  public void enqueue(SumOfSquares op, Call call) {
    long count = call.input(0).type().elements();
    long runs = Math.ceilDiv(count, RUN);
    call.launch("sum_of_squares", "sum_of_squares_of_runs", Grid.of(runs), call.in(0), count, call.scratch());
    call.launch("sum_of_squares", "sum_all", Grid.of(1), call.scratch(), runs, call.out(0));
  }
}
