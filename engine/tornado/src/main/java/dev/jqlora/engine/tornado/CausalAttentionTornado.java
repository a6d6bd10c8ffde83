package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.CausalAttention;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Attention}. */
final class CausalAttentionTornado implements TornadoKernel<CausalAttention> {
  @Override
  public Class<CausalAttention> op() {
    return CausalAttention.class;
  }

  @Override
  public Support supports(CausalAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return op.headDim() <= Attention.MOST_WIDTH
        ? Support.NATIVE
        : new Support.Unsupported("heads are at most %d wide".formatted(Attention.MOST_WIDTH));
  }

  @Override
  public void emit(CausalAttention op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    launch.groups((long) n * op.heads()).task(launch.id(), Attention::forward, launch.context(), launch.memory(),
        launch.ints(3), launch.at(),
        launch.call(launch.first(), launch.at(5), op.heads(), op.kvHeads(), op.headDim(), 0),
        (float) (1 / Math.sqrt(op.headDim())));
  }
}
