package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LoraLinear;

/** Two skinny products, the second added to the base in place; by {@link Gemv} for the one row of a token being generated. */
final class LoraLinearCpu implements CpuKernel<LoraLinear> {
  @Override
  public Class<LoraLinear> op() {
    return LoraLinear.class;
  }

  @Override
  public void run(LoraLinear op, Call call) {
    if (call.input(1).type().shape().dim(0) == 1) {
      Gemv.multiply(call.workers(), MatrixSource.of(call.input(2)), call.in(1), call.out(1));
      call.copyThrough(0, 0);
      Gemv.multiply(call.workers(), MatrixSource.of(call.input(3)), call.out(1), op.scale(), true, call.out(0));
      return;
    }
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.input(1))),
        Gemm.Operand.transposed(MatrixSource.of(call.input(2))), 1, false, call.out(1));
    call.copyThrough(0, 0);
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.output(1))),
        Gemm.Operand.transposed(MatrixSource.of(call.input(3))), op.scale(), true, call.out(0));
  }
}
