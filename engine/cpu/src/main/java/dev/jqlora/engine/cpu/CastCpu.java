package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;

/** Converts element by element; between F32 and BF16, as carried values are kept, by {@link CastKernel}. */
final class CastCpu implements CpuKernel<Cast> {
  @Override
  public Class<Cast> op() {
    return Cast.class;
  }

  @Override
  public void run(Cast op, Call call) {
    Tensor from = call.input(0);
    Tensor to = call.output(0);
    long count = to.type().elements();
    if (from.type().dtype() == DType.F32 && to.type().dtype() == DType.BF16) {
      CastKernel.toBFloat16(call.workers(), from.data(), count, to.data());
    } else if (from.type().dtype() == DType.BF16 && to.type().dtype() == DType.F32) {
      CastKernel.toFloat(call.workers(), from.data(), count, to.data());
    } else {
      call.workers().ranges(count, (first, end) -> {
        for (long i = first; i < end; i++) {
          to.set(i, from.get(i));
        }
      });
    }
  }
}
