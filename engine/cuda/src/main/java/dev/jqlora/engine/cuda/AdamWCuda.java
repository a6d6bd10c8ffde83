package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.AdamW;

/** {@code adam_w.cu}. */
final class AdamWCuda implements CudaKernel<AdamW> {
  @Override
  public Class<AdamW> op() {
    return AdamW.class;
  }

  @Override
  public void enqueue(AdamW op, Call call) {
    call.copyThrough(0, 0);
    call.copyThrough(2, 1);
    call.copyThrough(3, 2);
    call.launch("adam_w", "adam_w", Grid.elements(call.count()), call.out(0), call.in(1), call.out(1), call.out(2),
        call.in(4), call.in(5), (float) op.beta1(), (float) (1 - op.beta1()), (float) op.beta2(),
        (float) (1 - op.beta2()), (float) op.epsilon(), call.count());
  }
}
