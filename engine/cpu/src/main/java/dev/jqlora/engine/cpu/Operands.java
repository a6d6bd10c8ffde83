package dev.jqlora.engine.cpu;

import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.BlockwiseAdamW;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** What several kernels make of a call's operands. */
final class Operands {
  private Operands() {}

  static boolean isScalar(Tensor tensor) {
    return tensor.type().elements() == 1;
  }

  /** Elementwise kernels take F32 operands of one shape, or a single number for one of them. */
  static Support elementwise(List<TensorType> inputs, List<TensorType> outputs) {
    for (TensorType input : inputs) {
      if (input.dtype() != DType.F32) {
        return new Support.Unsupported("elementwise kernels are for F32");
      }
      if (input.elements() != 1 && input.elements() != outputs.getFirst().elements()) {
        return new Support.Unsupported("elementwise kernels repeat single numbers only");
      }
    }
    return Support.NATIVE;
  }

  /** The weight whose tensors are a call's inputs from 1 on. */
  static Nf4Tensor nf4(Nf4Weight weight, CpuKernel.Call call) {
    Absmax absmax = weight.nested()
        ? new Absmax.Nested(call.in(2), DynamicMap.of(call.input(3).toFloats()), call.in(4),
            FloatMemory.get(call.in(5), 0))
        : new Absmax.Plain(call.in(2));
    return new Nf4Tensor(Shape.of(weight.out(), weight.in()), weight.blockSize(), call.in(1), absmax);
  }

  /** An optimizer step's constants from its rates {@code [stepSize, correction, decay]}. */
  static BlockwiseAdamW.Coefficients coefficients(double beta1, double beta2, double epsilon, MemorySegment rates) {
    return BlockwiseAdamW.Coefficients.ofRates(beta1, beta2, epsilon, FloatMemory.get(rates, 0),
        FloatMemory.get(rates, 1), FloatMemory.get(rates, 2));
  }
}
