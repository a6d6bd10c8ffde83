package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Nf4LoraLinearGradient;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code nf4_lora_linear_gradient.cu}: both products go to the same sums, so that dx is read and written once. */
final class Nf4LoraLinearGradientCuda implements CudaKernel<Nf4LoraLinearGradient> {
  @Override
  public Class<Nf4LoraLinearGradient> op() {
    return Nf4LoraLinearGradient.class;
  }

  @Override
  public Support supports(Nf4LoraLinearGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    int rank = inputs.get(1 + op.weight().inputs()).shape().dim(1);
    return Nf4Operand.Adapter.supports(op.weight(), inputs.getFirst(), rank, 0);
  }

  @Override
  public void enqueue(Nf4LoraLinearGradient op, Call call) {
    Nf4Weight weight = op.weight();
    int du = 1 + weight.inputs();
    Nf4Operand.multiply(call, "nf4_lora_linear_gradient", weight, weight.out(), weight.in(),
        new Nf4Operand.Adapter(call.in(du), call.in(du + 1), weight.in(), call.input(du).dim(1),
            List.of(op.accumulates() ? call.in(du + 2) : 0L)));
  }
}
