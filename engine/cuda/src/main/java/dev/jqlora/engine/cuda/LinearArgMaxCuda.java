package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Head}; {@code linear_arg_max.cu} searches each row of logits. */
final class LinearArgMaxCuda implements CudaKernel<LinearArgMax> {
  private final LogitsBlock block;

  LinearArgMaxCuda() {
    this(LogitsBlock.ORDINARY);
  }

  /** @param block the rows whose logits exist at once */
  LinearArgMaxCuda(LogitsBlock block) {
    this.block = block;
  }

  @Override
  public Class<LinearArgMax> op() {
    return LinearArgMax.class;
  }

  @Override
  public Support supports(LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(block.bytes(inputs.get(0), inputs.get(1).shape().dim(0)));
  }

  @Override
  public void enqueue(LinearArgMax op, Call call) {
    Head.of(call, block).argMax(call.out(0));
  }
}
