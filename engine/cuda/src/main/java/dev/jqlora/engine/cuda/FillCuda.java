package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The driver fills memory by itself. */
final class FillCuda implements CudaKernel<Fill> {
  @Override
  public Class<Fill> op() {
    return Fill.class;
  }

  @Override
  public void enqueue(Fill op, Call call) {
    DType dtype = op.type().dtype();
    Driver.fill(call.out(0), bits(dtype, op.value()), dtype.bytes(), call.count(), call.launcher().stream());
  }

  /** A number as the bits of an element. */
  private static int bits(DType dtype, double value) {
    MemorySegment bits = MemorySegment.ofArray(new int[1]);
    new Tensor(new TensorType(dtype, Shape.SCALAR), bits.asSlice(0, dtype.bytes())).set(0, value);
    return bits.get(ValueLayout.JAVA_INT, 0);
  }
}
