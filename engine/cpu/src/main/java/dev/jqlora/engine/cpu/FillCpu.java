package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.tensor.Tensor;

/** Fills memory with one value. */
final class FillCpu implements CpuKernel<Fill> {
  @Override
  public Class<Fill> op() {
    return Fill.class;
  }

  @Override
  public void run(Fill op, Call call) {
    Tensor output = call.output(0);
    if (op.value() == 0) {
      call.workers().ranges(output.data().byteSize(),
          (first, end) -> output.data().asSlice(first, end - first).fill((byte) 0));
    } else {
      for (long i = 0; i < output.type().elements(); i++) {
        output.set(i, op.value());
      }
    }
  }
}
