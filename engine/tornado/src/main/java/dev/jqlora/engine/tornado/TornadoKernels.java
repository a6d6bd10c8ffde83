package dev.jqlora.engine.tornado;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.MixedPrecision;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The list of kernels: a new one is a file of its own and a line here. */
final class TornadoKernels {
  private final Map<Class<?>, TornadoKernel<?>> byOp = new HashMap<>();

  TornadoKernels() {
    this(Logits.MOST);
  }

  /** @param mostLogits see {@link Logits#forRows} */
  TornadoKernels(int mostLogits) {
    List<TornadoKernel<?>> kernels = List.of(new AdamW8bitTornado(), new AdamWTornado(), new AddTornado(),
        new CacheWriteTornado(), new CachedAttentionTornado(), new CastTornado(), new CausalAttentionGradientTornado(),
        new CausalAttentionTornado(), new DropoutTornado(), new EmbeddingGradientTornado(), new EmbeddingTornado(),
        new FillTornado(), new LinearArgMaxTornado(mostLogits), new LinearCrossEntropyTornado(mostLogits),
        new LoraLinearTornado(), new MatMulTornado(), new MultiplyTornado(), new Nf4LinearArgMaxTornado(mostLogits),
        new Nf4LinearCrossEntropyTornado(mostLogits), new Nf4LinearGradientTornado(), new Nf4LinearTornado(),
        new RmsNormGradientTornado(), new RmsNormTornado(), new RmsNormWeightGradientTornado(), new RopeTornado(),
        new ScaleTornado(), new SumOfSquaresTornado(), new SwiGluGradientTornado(), new SwiGluTornado());
    kernels.forEach(kernel -> byOp.put(kernel.op(), kernel));
  }

  /** @param doubles whether the device has 64-bit floating-point numbers */
  Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs, boolean doubles) {
    if (MixedPrecision.storesBf16(op, inputs)) {
      return new Support.Unsupported("the TornadoVM backend stores activations in F32");
    }
    TornadoKernel<?> kernel = byOp.get(op.getClass());
    if (kernel == null) {
      return new Support.Unsupported("the TornadoVM backend has no kernel for it");
    }
    if (kernel.needsDoubles() && !doubles) {
      return new Support.Unsupported("the device has no 64-bit floating-point numbers, by which it is computed");
    }
    return supports(kernel, op, inputs, outputs);
  }

  private static <O extends Op> Support supports(TornadoKernel<O> kernel, Op op, List<TensorType> inputs,
      List<TensorType> outputs) {
    return kernel.supports(kernel.op().cast(op), inputs, outputs);
  }

  void emit(Op op, Launch launch) {
    TornadoKernel<?> kernel = byOp.get(op.getClass());
    if (kernel == null) {
      throw new IllegalStateException("planned without a kernel: " + op.name());
    }
    emit(kernel, op, launch);
  }

  private static <O extends Op> void emit(TornadoKernel<O> kernel, Op op, Launch launch) {
    kernel.emit(kernel.op().cast(op), launch);
  }
}
