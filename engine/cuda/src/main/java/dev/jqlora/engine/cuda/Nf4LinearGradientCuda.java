package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.MatMulCuda.Factor;
import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code nf4_linear_gradient.cu}. */
final class Nf4LinearGradientCuda implements CudaKernel<Nf4LinearGradient> {
  @Override
  public Class<Nf4LinearGradient> op() {
    return Nf4LinearGradient.class;
  }

  @Override
  public Support supports(Nf4LinearGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return Nf4Operand.supports(op.weight(), inputs.getFirst());
  }

  @Override
  public void enqueue(Nf4LinearGradient op, Call call) {
    Buffer dy = call.input(0);
    multiply(call, op.weight(), new Factor(dy.address(), dy.type().dtype()), dy.dim(0), call.out(0));
  }

  /** {@code dx = dy · w} with the weight whose tensors are the call's inputs from 1 on. */
  static void multiply(Call call, Nf4Weight weight, Factor dy, int rows, long dx) {
    Nf4Operand.multiply(call, "nf4_linear_gradient", weight, dy, rows, weight.out(), weight.in(), dx);
  }
}
