package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Dropout;

/** The op's own hash, element by element. */
final class DropoutCpu implements CpuKernel<Dropout> {
  @Override
  public Class<Dropout> op() {
    return Dropout.class;
  }

  @Override
  public void run(Dropout op, Call call) {
    int stream = op.stream(FloatMemory.getInt(call.in(1), 0), FloatMemory.getInt(call.in(2), 0));
    float kept = 1 / (1 - op.p());
    call.workers().ranges(call.output(0).type().elements(), (first, end) -> {
      for (long i = first; i < end; i++) {
        float x = op.keeps(stream, (int) i) ? FloatMemory.get(call.in(0), i) * kept : 0;
        FloatMemory.set(call.out(0), i, x);
      }
    });
  }
}
