package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.MatMulCuda.Factor;
import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.List;

/** {@code nf4_linear.cu}: codes are decoded in each tile; a dequantized weight never exists. */
final class Nf4LinearCuda implements CudaKernel<Nf4Linear> {
  private static final int ROW_THREADS = 128;

  @Override
  public Class<Nf4Linear> op() {
    return Nf4Linear.class;
  }

  @Override
  public Support supports(Nf4Linear op, List<TensorType> inputs, List<TensorType> outputs) {
    return Nf4Operand.supports(op.weight(), inputs.getFirst());
  }

  @Override
  public void enqueue(Nf4Linear op, Call call) {
    int rows = call.input(0).dim(0);
    DType dtype = call.input(0).type().dtype();
    if (rows != 1 || dtype == DType.BF16 || op.weight().in() == 0) {
      multiply(call, op.weight(), new Factor(call.in(0), dtype), rows, call.out(0));
      return;
    }
    int out = op.weight().out();
    List<Object> arguments = new ArrayList<>(List.of(call.in(0)));
    arguments.addAll(Nf4Operand.arguments(op.weight(), call));
    arguments.addAll(List.of(out, op.weight().in(), call.out(0)));
    call.launcher().launch("nf4_linear", "nf4_linear_row", MatMulCuda.rowGrid(out), ROW_THREADS, arguments.toArray());
  }

  /** {@code y = x · wᵀ} with the weight whose tensors are the call's inputs from 1 on. */
  static void multiply(Call call, Nf4Weight weight, Factor x, int rows, long y) {
    Nf4Operand.multiply(call, "nf4_linear", weight, x, rows, weight.in(), weight.out(), y);
  }
}
