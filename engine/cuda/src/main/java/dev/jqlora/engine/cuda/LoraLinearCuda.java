package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.LoraLinear;
import dev.jqlora.engine.op.MatMul;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code u = x · aᵀ} by {@code mat_mul.cu}, then {@code lora_linear.cu} adds its product with b to the base. */
final class LoraLinearCuda implements CudaKernel<LoraLinear> {
  @Override
  public Class<LoraLinear> op() {
    return LoraLinear.class;
  }

  /** Wants memory for u. */
  @Override
  public Support supports(LoraLinear op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(TensorType.f32(inputs.get(1).shape().dim(0), inputs.get(2).shape().dim(0)).bytes());
  }

  @Override
  public void enqueue(LoraLinear op, Call call) {
    int rows = call.input(1).dim(0);
    int rank = call.input(2).dim(0);
    int out = call.output(0).dim(1);
    MatMulCuda.multiply(call, MatMul.NT, call.in(1), call.in(2), DType.F32,
        new MatMulCuda.Extents(rows, rank, call.input(1).dim(1)), false, call.scratch());
    boolean tensorCores = call.launcher().precision() == Precision.BF16
        && TensorCores.take(call.scratch(), DType.F32, rank) && TensorCores.take(call.in(3), DType.F32, rank);
    call.launch("lora_linear", tensorCores ? "lora_linear_mma" : "lora_linear",
        tensorCores ? TensorCores.tiles(rows, out) : MatMulCuda.tiles(rows, out), call.in(0), call.scratch(),
        call.in(3),
        rows, out, rank, op.scale(), call.out(0));
  }
}
