package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4Linear;

/** {@link Gemm} with the weight decoded while it is packed. */
final class Nf4LinearCpu implements CpuKernel<Nf4Linear> {
  @Override
  public Class<Nf4Linear> op() {
    return Nf4Linear.class;
  }

  @Override
  public void run(Nf4Linear op, Call call) {
    MatrixSource weight = MatrixSource.of(Operands.nf4(op.weight(), call));
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.input(0))), Gemm.Operand.transposed(weight), 1, false,
        call.out(0));
  }
}
