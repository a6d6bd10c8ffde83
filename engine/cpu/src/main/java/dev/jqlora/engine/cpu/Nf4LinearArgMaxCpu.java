package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link HeadKernel} with the weight decoded while it is packed. */
final class Nf4LinearArgMaxCpu implements CpuKernel<Nf4LinearArgMax> {
  @Override
  public Class<Nf4LinearArgMax> op() {
    return Nf4LinearArgMax.class;
  }

  @Override
  public long scratchBytes(Nf4LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return HeadKernel.scratchBytes(inputs.getFirst(), TensorType.f32(op.weight().out(), op.weight().in()), threads);
  }

  @Override
  public void run(Nf4LinearArgMax op, Call call) {
    new HeadKernel(call, call.input(0), MatrixSource.of(Operands.nf4(op.weight(), call))).argMax(call.out(0));
  }
}
