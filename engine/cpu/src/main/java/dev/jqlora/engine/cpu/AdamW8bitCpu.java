package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.AdamW8bit;
import dev.jqlora.engine.tensor.BlockwiseAdamW;

/** {@link AdamW8bitKernel}, in place. */
final class AdamW8bitCpu implements CpuKernel<AdamW8bit> {
  @Override
  public Class<AdamW8bit> op() {
    return AdamW8bit.class;
  }

  @Override
  public void run(AdamW8bit op, Call call) {
    call.copyThrough(0, 0);
    for (int i = 1; i < 5; i++) {
      call.copyThrough(i + 1, i);
    }
    AdamW8bitKernel.State state = new AdamW8bitKernel.State(call.out(0), call.in(1), call.out(1), call.out(2),
        call.out(3), call.out(4), op.count(), call.output(0).type().elements() / op.count());
    AdamW8bitKernel.step(call.workers(), state, FloatMemory.get(call.in(7), 0),
        Operands.coefficients(op.beta1(), op.beta2(), op.epsilon(), call.in(6)));
  }
}
