package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.MatMulCuda.Factor;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.op.Nf4LoraLinear;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * {@code u = scale · z · aᵀ} by {@code mat_mul.cu}, then {@code nf4_lora_linear.cu}: both products go to the same sums, so
 * that y is written once.
 */
final class Nf4LoraLinearCuda implements CudaKernel<Nf4LoraLinear> {
  @Override
  public Class<Nf4LoraLinear> op() {
    return Nf4LoraLinear.class;
  }

  /** Wants memory for u. */
  @Override
  public Support supports(Nf4LoraLinear op, List<TensorType> inputs, List<TensorType> outputs) {
    TensorType x = inputs.getFirst();
    int rank = inputs.getLast().shape().last();
    return Nf4Operand.Adapter.supports(op.weight(), x, rank, TensorType.f32(x.shape().dim(0), rank).bytes());
  }

  @Override
  public void enqueue(Nf4LoraLinear op, Call call) {
    Nf4Weight weight = op.weight();
    int z = 1 + weight.inputs();
    int rank = call.input(z + 1).dim(0);
    MatMulCuda.multiply(call, MatMul.NT, new Factor(call.in(z), call.input(z).type().dtype()),
        new Factor(call.in(z + 1), DType.F32), new MatMulCuda.Extents(call.input(0).dim(0), rank, weight.in()),
        op.scale(), false, call.scratch());
    Nf4Operand.multiply(call, "nf4_lora_linear", weight, weight.in(), weight.out(),
        new Nf4Operand.Adapter(call.scratch(), call.in(z + 2), rank, rank, List.of()));
  }
}
