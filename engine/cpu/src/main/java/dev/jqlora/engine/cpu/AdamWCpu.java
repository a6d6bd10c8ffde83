package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.AdamW;
import dev.jqlora.engine.tensor.BlockwiseAdamW;

/** {@link AdamWKernel}, in place. */
final class AdamWCpu implements CpuKernel<AdamW> {
  @Override
  public Class<AdamW> op() {
    return AdamW.class;
  }

  @Override
  public void run(AdamW op, Call call) {
    call.copyThrough(0, 0);
    call.copyThrough(2, 1);
    call.copyThrough(3, 2);
    BlockwiseAdamW.Coefficients coefficients = Operands.coefficients(op.beta1(), op.beta2(), op.epsilon(), call.in(4));
    AdamWKernel.step(call.workers(), call.out(0), call.in(1), call.out(1), call.out(2),
        call.output(0).type().elements(), FloatMemory.get(call.in(5), 0), coefficients);
  }
}
