package dev.jqlora.engine.tornado;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * Computes one kind of op by tasks of a task graph. The tasks' code is a static method with a KernelContext, written by the
 * rules of docs/tornadovm.md.
 *
 * @param <O> the op
 */
interface TornadoKernel<O extends Op> {
  Class<O> op();

  /** Whether it computes this op on these types, and the scratch memory that it wants. */
  default Support supports(O op, List<TensorType> inputs, List<TensorType> outputs) {
    return Support.NATIVE;
  }

  /** Whether its tasks compute with 64-bit floating-point numbers, which not every device has. */
  default boolean needsDoubles() {
    return false;
  }

  /** Adds the tasks of one launch. */
  void emit(O op, Launch launch);
}
