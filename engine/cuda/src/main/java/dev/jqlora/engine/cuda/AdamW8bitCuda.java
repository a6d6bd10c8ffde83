package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.AdamW8bit;

/** {@code adam_w8bit.cu}. */
final class AdamW8bitCuda implements CudaKernel<AdamW8bit> {
  @Override
  public Class<AdamW8bit> op() {
    return AdamW8bit.class;
  }

  @Override
  public void enqueue(AdamW8bit op, Call call) {
    call.copyThrough(0, 0);
    for (int i = 1; i < 5; i++) {
      call.copyThrough(i + 1, i);
    }
    long blocks = call.output(2).type().elements();
    call.launch("adam_w8bit", "adam_w8bit", Grid.of(blocks), call.out(0), call.in(1), call.out(1), call.out(2),
        call.out(3), call.out(4), call.in(6), call.in(7), (float) op.beta1(), (float) (1 - op.beta1()),
        (float) op.beta2(), (float) (1 - op.beta2()), (float) op.epsilon(), call.count() / op.count());
  }
}
