package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;

/** {@link CastKernel} between F32 and BF16; the casts that no program of a model has, one element after the other. */
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
    DType source = from.type().dtype();
    DType target = to.type().dtype();
    if (source == DType.BF16 && target == DType.F32) {
      CastKernel.toFloat(call.workers(), from.data(), count, to.data());
    } else if (source == DType.F32 && target == DType.BF16) {
      CastKernel.toBFloat16(call.workers(), from.data(), count, to.data());
    } else {
      call.workers().ranges(count, (first, end) -> {
        for (long i = first; i < end; i++) {
          to.set(i, from.get(i));
        }
      });
    }
  }
}
