package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;

/** {@code nf4_linear_gradient.cu}. */
final class Nf4LinearGradientCuda implements CudaKernel<Nf4LinearGradient> {
  @Override
  public Class<Nf4LinearGradient> op() {
    return Nf4LinearGradient.class;
  }

  @Override
  public void enqueue(Nf4LinearGradient op, Call call) {
    multiply(call, op.weight(), call.in(0), call.input(0).dim(0), call.out(0));
  }

  /** {@code dx = dy · w} with the weight whose tensors are the call's inputs from 1 on. */
  static void multiply(Call call, Nf4Weight weight, long dy, int rows, long dx) {
    Nf4Operand.multiply(call, "nf4_linear_gradient", weight, dy, rows, weight.out(), weight.in(), dx);
  }
}
