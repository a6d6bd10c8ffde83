package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LinearCrossEntropy;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link HeadKernel} of a weight that is stored as numbers. */
final class LinearCrossEntropyCpu implements CpuKernel<LinearCrossEntropy> {
  @Override
  public Class<LinearCrossEntropy> op() {
    return LinearCrossEntropy.class;
  }

  @Override
  public long scratchBytes(LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return HeadKernel.scratchBytes(inputs.get(0), inputs.get(1), threads);
  }

  @Override
  public void run(LinearCrossEntropy op, Call call) {
    new HeadKernel(call, call.input(0), MatrixSource.of(call.input(1))).crossEntropy(call.in(2), call.out(0),
        call.out(1), op.inputGradient() ? call.out(2) : null,
        op.weightGradient() ? call.out(op.inputGradient() ? 3 : 2) : null);
  }
}
