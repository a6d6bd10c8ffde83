package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4LinearCrossEntropy;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link HeadKernel} with the weight decoded while it is packed. */
final class Nf4LinearCrossEntropyCpu implements CpuKernel<Nf4LinearCrossEntropy> {
  @Override
  public Class<Nf4LinearCrossEntropy> op() {
    return Nf4LinearCrossEntropy.class;
  }

  @Override
  public long scratchBytes(Nf4LinearCrossEntropy op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return HeadKernel.scratchBytes(inputs.getFirst(), TensorType.f32(op.weight().out(), op.weight().in()), threads);
  }

  @Override
  public void run(Nf4LinearCrossEntropy op, Call call) {
    new HeadKernel(call, call.input(0), MatrixSource.of(Operands.nf4(op.weight(), call))).crossEntropy(
        call.in(1 + op.weight().inputs()), call.out(0), call.out(1), op.inputGradient() ? call.out(2) : null, null);
  }
}
