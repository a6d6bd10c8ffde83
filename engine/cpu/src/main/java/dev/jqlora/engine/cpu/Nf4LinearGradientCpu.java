package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4LinearGradient;

/** {@link Gemm} with the weight decoded while it is packed. */
final class Nf4LinearGradientCpu implements CpuKernel<Nf4LinearGradient> {
  @Override
  public Class<Nf4LinearGradient> op() {
    return Nf4LinearGradient.class;
  }

  @Override
  public void run(Nf4LinearGradient op, Call call) {
    MatrixSource weight = MatrixSource.of(Operands.nf4(op.weight(), call));
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.input(0))), Gemm.Operand.plain(weight), 1, false,
        call.out(0));
  }
}
