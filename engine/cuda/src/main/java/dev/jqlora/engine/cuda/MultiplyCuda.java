package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code multiply.cu}. */
final class MultiplyCuda implements CudaKernel<Multiply> {
  @Override
  public Class<Multiply> op() {
    return Multiply.class;
  }

  @Override
  public Support supports(Multiply op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.elementwise(inputs, outputs, DType.F32);
  }

  @Override
  public void enqueue(Multiply op, Call call) {
    long count = call.count();
    call.launch("multiply", "multiply", Grid.elements(count), call.in(0), Operands.step(call.input(0)), call.in(1),
        Operands.step(call.input(1)), call.out(0), count);
  }
}
