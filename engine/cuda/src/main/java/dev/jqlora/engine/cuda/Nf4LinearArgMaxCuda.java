package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Head} with a weight of codes. */
final class Nf4LinearArgMaxCuda implements CudaKernel<Nf4LinearArgMax> {
  private final LogitsBlock block;

  Nf4LinearArgMaxCuda() {
    this(LogitsBlock.ORDINARY);
  }

  /** @param block the rows whose logits exist at once */
  Nf4LinearArgMaxCuda(LogitsBlock block) {
    this.block = block;
  }

  @Override
  public Class<Nf4LinearArgMax> op() {
    return Nf4LinearArgMax.class;
  }

  @Override
  public Support supports(Nf4LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(block.bytes(inputs.get(0), op.weight().out()));
  }

  @Override
  public void enqueue(Nf4LinearArgMax op, Call call) {
    Head.of(call, op.weight(), block).argMax(call.out(0));
  }
}
