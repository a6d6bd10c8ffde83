package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.LoraLinear;

/** Two skinny products, the second added to the base in place. */
final class LoraLinearCpu implements CpuKernel<LoraLinear> {
  @Override
  public Class<LoraLinear> op() {
    return LoraLinear.class;
  }

  @Override
  public void run(LoraLinear op, Call call) {
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.input(1))),
        Gemm.Operand.transposed(MatrixSource.of(call.input(2))), 1, false, call.out(1));
    call.copyThrough(0, 0);
    call.gemm().multiply(Gemm.Operand.plain(MatrixSource.of(call.output(1))),
        Gemm.Operand.transposed(MatrixSource.of(call.input(3))), op.scale(), true, call.out(0));
  }
}
