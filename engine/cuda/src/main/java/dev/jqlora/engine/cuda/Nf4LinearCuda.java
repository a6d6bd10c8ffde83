package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4Linear;
import dev.jqlora.engine.op.Nf4Weight;
import java.util.ArrayList;
import java.util.List;

/** {@code nf4_linear.cu}: codes are decoded in each tile; a dequantized weight never exists. */
final class Nf4LinearCuda implements CudaKernel<Nf4Linear> {
  private static final int ROW_THREADS = 128;
  private static final int TENSOR_CORE_THREADS = 128;

  @Override
  public Class<Nf4Linear> op() {
    return Nf4Linear.class;
  }

  @Override
  public void enqueue(Nf4Linear op, Call call) {
    int rows = call.input(0).dim(0);
    if (rows > 1) {
      multiply(call, op.weight(), call.in(0), rows, call.out(0));
      return;
    }
    int out = op.weight().out();
    List<Object> arguments = new ArrayList<>(List.of(call.in(0)));
    arguments.addAll(Nf4Operand.arguments(op.weight(), call));
    arguments.addAll(List.of(out, op.weight().in(), call.out(0)));
    call.launcher().launch("nf4_linear", "nf4_linear_row", MatMulCuda.rowGrid(out), ROW_THREADS, arguments.toArray());
  }

  /** {@code y = x · wᵀ} with the weight whose tensors are the call's inputs from 1 on. */
  static void multiply(Call call, Nf4Weight weight, long x, int rows, long y) {
    List<Object> arguments = new ArrayList<>(List.of(x));
    arguments.addAll(Nf4Operand.arguments(weight, call));
    arguments.addAll(List.of(rows, weight.out(), weight.in(), y));
    Grid tiles = MatMulCuda.tiles(rows, weight.out());
    if (call.launcher().precision() == Precision.BF16 && fitsTensorCores(call, weight, x)) {
      call.launcher().launch("nf4_linear", "nf4_linear_bf16", tiles, TENSOR_CORE_THREADS, arguments.toArray());
    } else {
      call.launch("nf4_linear", "nf4_linear", tiles, arguments.toArray());
    }
  }

  /** Each step loads 32 columns of a row at once, in pieces of 16 bytes that begin at a multiple of 16. */
  private static boolean fitsTensorCores(Call call, Nf4Weight weight, long x) {
    return weight.in() % 32 == 0 && weight.blockSize() % 32 == 0 && x % 16 == 0 && call.in(1) % 16 == 0;
  }
}
