package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link LinearCrossEntropyTornado} with a head that is decoded tile by tile. */
final class Nf4LinearCrossEntropyTornado implements TornadoKernel<Nf4LinearCrossEntropy> {
  private final int mostLogits;

  /** @param mostLogits see {@link Logits#forRows} */
  Nf4LinearCrossEntropyTornado(int mostLogits) {
    this.mostLogits = mostLogits;
  }

  @Override
  public Class<Nf4LinearCrossEntropy> op() {
    return Nf4LinearCrossEntropy.class;
  }

  @Override
  public Support supports(Nf4LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Logits.scratchBytes(inputs.getFirst(), mostLogits, op.weight().out()));
  }

  @Override
  public void emit(Nf4LinearCrossEntropy op, Launch launch) {
    Logits.forRows(launch, mostLogits, op.weight().out(), (row, rows) -> {
      Logits.emitNf4(launch, op.weight(), row, rows);
      Logits.loss(launch, 1 + op.weight().inputs(), row, rows, op.weight().out(), op.inputGradient());
      if (op.inputGradient()) {
        Products.emitNf4(launch, op.weight(), false, rows, launch.at(launch.scratch()),
            launch.at(launch.out(2), (long) row * op.weight().in()));
      }
    });
    Logits.total(launch);
  }
}
