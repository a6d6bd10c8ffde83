package dev.jqlora.engine.cuda;

import dev.jqlora.engine.cuda.MatMulCuda.Factor;
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
    TensorType x = inputs.get(1);
    int rank = inputs.get(2).shape().dim(0);
    if (x.dtype() == DType.BF16
        && !(TensorCores.takeLines(x.dtype(), x.shape().last()) && TensorCores.takeLines(DType.F32, rank))) {
      return TensorCores.OTHER_LINES;
    }
    return new Support.Native(TensorType.f32(x.shape().dim(0), rank).bytes());
  }

  @Override
  public void enqueue(LoraLinear op, Call call) {
    int rows = call.input(1).dim(0);
    int rank = call.input(2).dim(0);
    int out = call.output(0).dim(1);
    if (rank == 0) {
      call.copyThrough(0, 0);
      return;
    }
    DType dtype = call.input(1).type().dtype();
    MatMulCuda.multiply(call, MatMul.NT, new Factor(call.in(1), dtype), new Factor(call.in(2), DType.F32),
        new MatMulCuda.Extents(rows, rank, call.input(1).dim(1)), false, call.scratch());
    boolean storesBf16 = dtype == DType.BF16;
    boolean tensorCores = storesBf16 || call.launcher().precision() == Precision.BF16
        && TensorCores.take(call.scratch(), DType.F32, rank) && TensorCores.take(call.in(3), DType.F32, rank);
    call.launch("lora_linear", storesBf16 ? "lora_linear_mma_bf16" : tensorCores ? "lora_linear_mma" : "lora_linear",
        tensorCores ? TensorCores.tiles(rows, out) : MatMulCuda.tiles(rows, out), call.in(0), call.scratch(),
        call.in(3),
        rows, out, rank, op.scale(), call.out(0));
  }
}
