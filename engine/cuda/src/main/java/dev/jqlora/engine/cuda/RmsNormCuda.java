package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.RmsNorm;

/** {@code rms_norm.cu}. */
final class RmsNormCuda implements CudaKernel<RmsNorm> {
  @Override
  public Class<RmsNorm> op() {
    return RmsNorm.class;
  }

  @Override
  public void enqueue(RmsNorm op, Call call) {
    Buffer y = call.output(0);
    call.launchRows("rms_norm", "rms_norm_" + Operands.suffix(y), y.dim(0), y.dim(1), call.in(0), call.in(1), y.dim(1),
        op.epsilon(),
        y.address());
  }
}
