package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.RmsNormGradient;

/** {@code rms_norm_gradient.cu}. */
final class RmsNormGradientCuda implements CudaKernel<RmsNormGradient> {
  @Override
  public Class<RmsNormGradient> op() {
    return RmsNormGradient.class;
  }

  @Override
  public void enqueue(RmsNormGradient op, Call call) {
    Buffer dx = call.output(0);
    call.launchRows("rms_norm_gradient", "rms_norm_gradient_" + Operands.suffix(call.input(2)), dx.dim(0), dx.dim(1),
        call.in(0), call.in(1), call.in(2),
        dx.dim(1), op.epsilon(), dx.address());
  }
}
