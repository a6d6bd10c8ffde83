package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Logits} of some rows at a time. */
final class LinearArgMaxTornado implements TornadoKernel<LinearArgMax> {
  private final int mostLogits;

  /** @param mostLogits see {@link Logits#forRows} */
  LinearArgMaxTornado(int mostLogits) {
    this.mostLogits = mostLogits;
  }

  @Override
  public Class<LinearArgMax> op() {
    return LinearArgMax.class;
  }

  @Override
  public Support supports(LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Logits.scratchBytes(inputs.get(0), mostLogits, inputs.get(1).shape().dim(0)));
  }

  @Override
  public void emit(LinearArgMax op, Launch launch) {
    int vocab = launch.type(1).shape().dim(0);
    Logits.forRows(launch, mostLogits, vocab, (row, rows) -> {
      Logits.emit(launch, row, rows);
      Logits.argMax(launch, row, rows, vocab);
    });
  }
}
