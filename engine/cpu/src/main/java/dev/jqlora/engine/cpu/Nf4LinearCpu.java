package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link Gemm} with the weight decoded while it is packed; {@link Gemv} for the one row of a token being generated. */
final class Nf4LinearCpu implements CpuKernel<Nf4Linear> {
  @Override
  public Class<Nf4Linear> op() {
    return Nf4Linear.class;
  }

  @Override
  public long scratchBytes(Nf4Linear op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    int n = inputs.getFirst().shape().dim(0);
    return n == 1 ? 0 : Gemm.scratchBytes(n, op.weight().in(), threads);
  }

  @Override
  public void run(Nf4Linear op, Call call) {
    MatrixSource weight = MatrixSource.of(Operands.nf4(op.weight(), call));
    if (call.input(0).type().shape().dim(0) == 1) {
      Gemv.multiply(call.workers(), weight, call.in(0), call.out(0));
      return;
    }
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.input(0))), Gemm.Operand.transposed(weight), 1, false,
        call.out(0), call.scratch());
  }
}
