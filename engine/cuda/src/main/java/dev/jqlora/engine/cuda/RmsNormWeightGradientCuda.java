package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.RmsNormWeightGradient;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code rms_norm_weight_gradient.cu}. */
final class RmsNormWeightGradientCuda implements CudaKernel<RmsNormWeightGradient> {
  @Override
  public Class<RmsNormWeightGradient> op() {
    return RmsNormWeightGradient.class;
  }

  @Override
  public Support supports(RmsNormWeightGradient op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native((long) inputs.getFirst().shape().dim(0) * Float.BYTES);
  }

  @Override
  public void enqueue(RmsNormWeightGradient op, Call call) {
    int rows = call.input(0).dim(0);
    int width = call.input(0).dim(1);
    call.launchRows("rms_norm_weight_gradient", "rms_norm_inverse", rows, width, call.in(0), width, op.epsilon(),
        call.scratch());
    call.launch("rms_norm_weight_gradient", "rms_norm_weight_gradient_" + Operands.suffix(call.input(1)),
        Grid.covering(width), call.in(0), call.in(1), call.scratch(), rows, width, call.out(0));
  }
}
