package dev.jqlora.engine.cuda;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
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
    return Operands.elementwise(inputs, outputs, DType.F32, DType.BF16);
  }

  @Override
  public void enqueue(Add op, Call call) {
    long count = call.count();
    boolean swapped = call.input(0).type().dtype() == DType.BF16 && call.input(1).type().dtype() == DType.F32;
    Buffer a = call.input(swapped ? 1 : 0);
    Buffer b = call.input(swapped ? 0 : 1);
    call.launch("add", "add_" + Operands.suffix(a) + "_" + Operands.suffix(b), Grid.elements(count), a.address(),
        Operands.step(a), b.address(), Operands.step(b), call.out(0), count);
  }
}
