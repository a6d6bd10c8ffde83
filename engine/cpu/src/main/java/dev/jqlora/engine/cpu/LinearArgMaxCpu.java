package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link HeadKernel} of a weight that is stored as numbers. */
final class LinearArgMaxCpu implements CpuKernel<LinearArgMax> {
  @Override
  public Class<LinearArgMax> op() {
    return LinearArgMax.class;
  }

  @Override
  public long scratchBytes(LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return HeadKernel.scratchBytes(inputs.get(0), inputs.get(1), threads);
  }

  @Override
  public void run(LinearArgMax op, Call call) {
    new HeadKernel(call, call.input(0), MatrixSource.of(call.input(1))).argMax(call.out(0));
  }
}
