package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** {@link ElementwiseKernel}; operands of one shape, or one of them a scalar. */
final class MultiplyCpu implements CpuKernel<Multiply> {
  @Override
  public Class<Multiply> op() {
    return Multiply.class;
  }

  @Override
  public Support supports(Multiply op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.elementwise(inputs, outputs);
  }

  @Override
  public void run(Multiply op, Call call) {
    long count = call.output(0).type().elements();
    if (Operands.isScalar(call.input(1)) && count != 1) {
      ElementwiseKernel.scale(call.workers(), FloatMemory.get(call.in(1), 0), 0, call.in(0), count, call.out(0));
    } else if (Operands.isScalar(call.input(0)) && count != 1) {
      ElementwiseKernel.scale(call.workers(), FloatMemory.get(call.in(0), 0), 0, call.in(1), count, call.out(0));
    } else {
      ElementwiseKernel.multiply(call.workers(), call.in(0), call.in(1), count, call.out(0));
    }
  }
}
