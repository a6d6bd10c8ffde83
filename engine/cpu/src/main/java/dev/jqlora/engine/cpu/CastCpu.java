package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.Tensor;

/** Converts element by element. */
final class CastCpu implements CpuKernel<Cast> {
  @Override
  public Class<Cast> op() {
    return Cast.class;
  }

  @Override
  public void run(Cast op, Call call) {
    Tensor from = call.input(0);
    Tensor to = call.output(0);
    call.workers().ranges(to.type().elements(), (first, end) -> {
      for (long i = first; i < end; i++) {
        to.set(i, from.get(i));
      }
    });
  }
}
