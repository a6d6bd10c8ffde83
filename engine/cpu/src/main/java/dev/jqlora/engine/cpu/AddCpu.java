package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link ElementwiseKernel}; operands of one shape, or one of them a scalar. */
final class AddCpu implements CpuKernel<Add> {
  @Override
  public Class<Add> op() {
    return Add.class;
  }

  @Override
  public Support supports(Add op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.elementwise(inputs, outputs);
  }

  @Override
  public void run(Add op, Call call) {
    long count = call.output(0).type().elements();
    if (Operands.isScalar(call.input(1)) && count != 1) {
      ElementwiseKernel.scale(call.workers(), 1, FloatMemory.get(call.in(1), 0), call.in(0), count, call.out(0));
    } else if (Operands.isScalar(call.input(0)) && count != 1) {
      ElementwiseKernel.scale(call.workers(), 1, FloatMemory.get(call.in(0), 0), call.in(1), count, call.out(0));
    } else {
      ElementwiseKernel.add(call.workers(), call.in(0), call.in(1), count, call.out(0));
    }
  }
}
