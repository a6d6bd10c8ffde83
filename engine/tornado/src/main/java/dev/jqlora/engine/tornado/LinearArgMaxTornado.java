package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Logits} of some rows at a time. */
final class LinearArgMaxTornado implements TornadoKernel<LinearArgMax> {
  @Override
  public Class<LinearArgMax> op() {
    return LinearArgMax.class;
  }

  @Override
  public Support supports(LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Logits.scratchBytes(inputs.get(0), inputs.get(1).shape().dim(0)));
  }

  @Override
  public void emit(LinearArgMax op, Launch launch) {
    int n = launch.type(0).shape().dim(0);
    int vocab = launch.type(1).shape().dim(0);
    int step = Logits.rows(launch.type(0), vocab);
    for (int row = 0; row < n; row += step) {
      int rows = Math.min(step, n - row);
      Logits.emit(launch, row, rows);
      Logits.argMax(launch, row, rows, vocab);
    }
  }
}
