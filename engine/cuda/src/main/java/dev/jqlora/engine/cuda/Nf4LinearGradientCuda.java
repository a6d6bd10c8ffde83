package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4LinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import java.util.ArrayList;
import java.util.List;

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
    List<Object> arguments = new ArrayList<>(List.of(dy));
    arguments.addAll(Nf4Operand.arguments(weight, call));
    arguments.addAll(List.of(rows, weight.out(), weight.in(), dx));
    call.launch("nf4_linear_gradient", "nf4_linear_gradient", MatMulCuda.tiles(rows, weight.in()), arguments.toArray());
  }
}
