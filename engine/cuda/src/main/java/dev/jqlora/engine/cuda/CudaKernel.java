package dev.jqlora.engine.cuda;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/**
 * Puts the work of one kind of op into a stream. Nothing is known of the operands but their types: their contents are on the
 * device, and are there only when the stream comes to them.
 *
 * @param <O> the op
 */
interface CudaKernel<O extends Op> {
  Class<O> op();

  /** Whether it computes this op on these types, and the scratch memory that it wants. */
  default Support supports(O op, List<TensorType> inputs, List<TensorType> outputs) {
    return Support.NATIVE;
  }

  void enqueue(O op, Call call);

  /** A tensor in device memory. */
  record Buffer(TensorType type, long address) {
    Shape shape() {
      return type.shape();
    }

    int dim(int axis) {
      return type.shape().dim(axis);
    }
  }

  /**
   * One call: operands in the order of the op's inputs and outputs. An output may be an input's very memory where the op says
   * so.
   */
  record Call(List<Buffer> inputs, List<Buffer> outputs, long scratch, Launcher launcher) {
    Buffer input(int index) {
      return inputs.get(index);
    }

    Buffer output(int index) {
      return outputs.get(index);
    }

    long in(int index) {
      return inputs.get(index).address();
    }

    long out(int index) {
      return outputs.get(index).address();
    }

    /** Elements of the first output. */
    long count() {
      return outputs.getFirst().type().elements();
    }

    void launch(String file, String kernel, Grid grid, Object... arguments) {
      launcher.launch(file, kernel, grid, Grid.THREADS, arguments);
    }

    /** A block for each of some rows, of no more threads than a row has elements and warps need. */
    void launchRows(String file, String kernel, int rows, int width, Object... arguments) {
      int threads = Math.clamp(Math.ceilDiv(width, 32) * 32L, 32, Grid.THREADS);
      launcher.launch(file, kernel, Grid.of(rows), threads, arguments);
    }

    /** Sets so many elements to 0. */
    void fillWithZeros(long address, DType dtype, long count) {
      Driver.fill(address, 0, dtype.bytes(), count, launcher.stream());
    }

    /** Puts an input's bytes into an output, unless they are there already. */
    void copyThrough(int input, int output) {
      if (in(input) != out(output)) {
        Driver.copy(out(output), in(input), output(output).type().bytes(), launcher.stream());
      }
    }
  }
}
