package dev.jqlora.engine.tornado;

import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A work-item an element; operands of one shape, or one of them a single number. */
final class AddTornado implements TornadoKernel<Add> {
  @Override
  public Class<Add> op() {
    return Add.class;
  }

  @Override
  public Support supports(Add op, List<TensorType> inputs, List<TensorType> outputs) {
    return Operands.elementwise(inputs, outputs);
  }

  @Override
  public void emit(Add op, Launch launch) {
    int n = (int) launch.elements(2);
    launch.over(n).task(launch.id(), AddTornado::add, launch.context(), launch.memory(), launch.at(),
        launch.call(launch.first(), n, launch.elements(0) == n ? 1 : 0, launch.elements(1) == n ? 1 : 0));
  }

  static void add(KernelContext context, FloatArray memory, IntArray at, IntArray call) {
    int first = call.get(0);
    int n = call.get(1);
    int stepA = call.get(2);
    int stepB = call.get(3);
    int i = context.globalIdx;
    if (i < n) {
      memory.set(at.get(first + 2) + i,
          memory.get(at.get(first) + i * stepA) + memory.get(at.get(first + 1) + i * stepB));
    }
  }
}
