package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@code add.cu}. */
final class AddCuda implements CudaKernel<Add> {
  @Override
  public Class<Add> op() {
    return Add.class;
  }

  @Override
  public Support supports(Add op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.elementwise(inputs, outputs);
  }

  @Override
  public void enqueue(Add op, Call call) {
    long count = call.count();
    call.launch("add", "add", Grid.elements(count), call.in(0), Operands.step(call.input(0)), call.in(1),
        Operands.step(call.input(1)), call.out(0), count);
  }
}
