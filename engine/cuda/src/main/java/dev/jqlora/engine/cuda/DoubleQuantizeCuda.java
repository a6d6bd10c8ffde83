package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.DoubleQuantize;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code double_quantize.cu}: the mean in two steps, then a block of threads a block of codes. */
final class DoubleQuantizeCuda implements CudaKernel<DoubleQuantize> {
  private static final String FILE = "double_quantize";

  @Override
  public Class<DoubleQuantize> op() {
    return DoubleQuantize.class;
  }

  /** Wants memory for a float64 sum of each block. */
  @Override
  public Support supports(DoubleQuantize op, List<TensorType> inputs, List<TensorType> outputs) {
    return new Support.Native(outputs.get(1).elements() * Double.BYTES);
  }

  @Override
  public void enqueue(DoubleQuantize op, Call call) {
    long count = call.count();
    if (count == 0) {
      call.fillWithZeros(call.out(2), DType.F32, 1);
      return;
    }
    long blocks = call.output(1).type().elements();
    call.launch(FILE, "absmax_sums", Grid.covering(blocks), call.in(0), count, call.scratch());
    call.launcher().launch(FILE, "absmax_mean", Grid.of(1), 1, call.scratch(), blocks, count, call.out(2));
    call.launch(FILE, FILE, Grid.of(blocks), call.in(0), count, call.out(2), call.out(0), call.out(1));
  }
}
