package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.CachedAttention;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Attention} over the rows of the caches. */
final class CachedAttentionTornado implements TornadoKernel<CachedAttention> {
  @Override
  public Class<CachedAttention> op() {
    return CachedAttention.class;
  }

  @Override
  public Support supports(CachedAttention op, List<TensorType> inputs, List<TensorType> outputs) {
    return op.headDim() <= Attention.MOST_WIDTH
        ? Support.NATIVE
        : new Support.Unsupported("heads are at most %d wide".formatted(Attention.MOST_WIDTH));
  }

  @Override
  public void emit(CachedAttention op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    launch.groups((long) n * op.heads()).task(launch.id(), Attention::forward, launch.context(), launch.memory(),
        launch.ints(3), launch.at(),
        launch.call(launch.first(), launch.at(4), op.heads(), op.kvHeads(), op.headDim(), 1),
        (float) (1 / Math.sqrt(op.headDim())));
  }
}
