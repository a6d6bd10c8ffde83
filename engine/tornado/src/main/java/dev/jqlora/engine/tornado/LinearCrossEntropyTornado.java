package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Logits} of some rows at a time, and {@link Products} with their gradient: the logits of all rows never exist. */
final class LinearCrossEntropyTornado implements TornadoKernel<LinearCrossEntropy> {
  private final int mostLogits;

  /** @param mostLogits see {@link Logits#forRows} */
  LinearCrossEntropyTornado(int mostLogits) {
    this.mostLogits = mostLogits;
  }

  @Override
  public Class<LinearCrossEntropy> op() {
    return LinearCrossEntropy.class;
  }

  @Override
  public Support supports(LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(Logits.scratchBytes(inputs.get(0), mostLogits, inputs.get(1).shape().dim(0)));
  }

  @Override
  public void emit(LinearCrossEntropy op, Launch launch) {
    int width = launch.type(0).shape().dim(1);
    int vocab = launch.type(1).shape().dim(0);
    int logits = launch.scratch();
    boolean gradient = op.inputGradient() || op.weightGradient();
    Logits.forRows(launch, mostLogits, vocab, (row, rows) -> {
      Logits.emit(launch, row, rows);
      Logits.loss(launch, 2, row, rows, vocab, gradient);
      if (op.inputGradient()) {
        int dx = launch.out(2);
        Products.emit(launch, new Products.Size(1, rows, width, vocab),
            new Products.Matrix(logits, launch.at(logits), Products.Layout.plain(vocab)),
            new Products.Matrix(1, launch.at(1), Products.Layout.plain(width)), dx,
            launch.at(dx, (long) row * width), Products.Sum.NONE);
      }
      if (op.weightGradient()) {
        int dw = launch.out(op.inputGradient() ? 3 : 2);
        Products.emit(launch, new Products.Size(1, vocab, width, rows),
            new Products.Matrix(logits, launch.at(logits), Products.Layout.transposed(vocab)),
            new Products.Matrix(0, launch.at(0, (long) row * width), Products.Layout.plain(width)), dw, launch.at(dw),
            row == 0 ? Products.Sum.NONE : new Products.Sum(1, dw, launch.at(dw)));
      }
    });
    Logits.total(launch);
  }
}
