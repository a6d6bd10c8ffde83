package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4LinearArgMax;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link LinearArgMaxTornado} with a head that is decoded tile by tile. */
final class Nf4LinearArgMaxTornado implements TornadoKernel<Nf4LinearArgMax> {
  private final int mostLogits;

  /** @param mostLogits see {@link Logits#forRows} */
  Nf4LinearArgMaxTornado(int mostLogits) {
    this.mostLogits = mostLogits;
  }

  @Override
  public Class<Nf4LinearArgMax> op() {
    return Nf4LinearArgMax.class;
  }

  @Override
  public Support supports(Nf4LinearArgMax op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Logits.scratchBytes(inputs.getFirst(), mostLogits, op.weight().out()));
  }

  @Override
  public void emit(Nf4LinearArgMax op, Launch launch) {
    Logits.forRows(launch, mostLogits, op.weight().out(), (row, rows) -> {
      Logits.emitNf4(launch, op.weight(), row, rows);
      Logits.argMax(launch, row, rows, op.weight().out());
    });
  }
}
