package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.CausalAttentionGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Attention}. */
final class CausalAttentionGradientTornado implements TornadoKernel<CausalAttentionGradient> {
  @Override
  public Class<CausalAttentionGradient> op() {
    return CausalAttentionGradient.class;
  }

  @Override
  public Support supports(CausalAttentionGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return op.headDim() <= Attention.MOST_WIDTH
        ? new Support.Native(inputs.get(5).bytes())
        : new Support.Unsupported("heads are at most %d wide".formatted(Attention.MOST_WIDTH));
  }

  @Override
  public void emit(CausalAttentionGradient op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    int rows = n * op.heads();
    int delta = launch.scratch();
    float scale = (float) (1 / Math.sqrt(op.headDim()));
    launch.over(rows).task(launch.id(), Attention::delta, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.at(4), launch.at(6), launch.at(delta), rows, op.headDim()));
    launch.groups(rows).task(launch.id(), Attention::queries, launch.context(), launch.memory(), launch.ints(3),
        launch.at(), launch.call(launch.first(), launch.at(delta), op.heads(), op.kvHeads(), op.headDim()), scale);
    launch.groups((long) n * op.kvHeads()).task(launch.id(), Attention::keys, launch.context(), launch.memory(),
        launch.ints(3), launch.at(),
        launch.call(launch.first(), launch.at(delta), n, op.heads(), op.kvHeads(), op.headDim()), scale);
  }
}
