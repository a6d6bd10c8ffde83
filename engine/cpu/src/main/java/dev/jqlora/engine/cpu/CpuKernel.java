package dev.jqlora.engine.cpu;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Computes one kind of op. Kernels check nothing that the op's shape rule has checked, and keep no state between calls.
 *
 * @param <O> the op
 */
interface CpuKernel<O extends Op> {
  Class<O> op();

  /** Whether it computes this op on these types; what scratch it wants, {@link #scratchBytes} says. */
  default Support supports(O op, List<TensorType> inputs, List<TensorType> outputs) {
    return Support.NATIVE;
  }

  /** Bytes of scratch that {@link #run} wants on so many threads: all memory that grows with the operands. */
  default long scratchBytes(O op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    return 0;
  }

  void run(O op, Call call);

  /**
   * One call: operands in the order of the op's inputs and outputs. An output may be an input's very memory where the op
   * says so.
   */
  record Call(List<Tensor> inputs, List<Tensor> outputs, MemorySegment scratch, CpuContext context) {
    Workers workers() {
      return context.workers();
    }

    Gemm gemm() {
      return context.gemm();
    }

    Tensor input(int index) {
      return inputs.get(index);
    }

    Tensor output(int index) {
      return outputs.get(index);
    }

    MemorySegment in(int index) {
      return inputs.get(index).data();
    }

    MemorySegment out(int index) {
      return outputs.get(index).data();
    }

    /** Puts an input's bytes into an output, unless they are there already. */
    void copyThrough(int input, int output) {
      if (in(input).address() != out(output).address()) {
        out(output).copyFrom(in(input));
      }
    }
  }
}
