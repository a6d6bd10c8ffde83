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
  private static final List<TornadoKernel<?>> KERNELS = List.of(new AdamW8bitTornado(), new AdamWTornado(),
      new AddTornado(), new CacheWriteTornado(), new CachedAttentionTornado(), new CastTornado(),
      new CausalAttentionGradientTornado(), new CausalAttentionTornado(), new DropoutTornado(),
      new EmbeddingGradientTornado(), new EmbeddingTornado(), new FillTornado(), new LinearArgMaxTornado(),
      new LinearCrossEntropyTornado(), new LoraLinearTornado(), new MatMulTornado(), new MultiplyTornado(),
      new Nf4LinearArgMaxTornado(),
      new Nf4LinearCrossEntropyTornado(), new Nf4LinearGradientTornado(), new Nf4LinearTornado(),
      new RmsNormGradientTornado(), new RmsNormTornado(),
      new RmsNormWeightGradientTornado(), new RopeTornado(), new ScaleTornado(), new SumOfSquaresTornado(),
      new SwiGluGradientTornado(), new SwiGluTornado());

  private static final Map<Class<?>, TornadoKernel<?>> BY_OP = new HashMap<>();

  static {
    KERNELS.forEach(kernel -> BY_OP.put(kernel.op(), kernel));
  }

  private TornadoKernels() {}

  static Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    if (MixedPrecision.storesBf16(op, inputs)) {
      return new Support.Unsupported("the TornadoVM backend stores activations in F32");
    }
    TornadoKernel<?> kernel = BY_OP.get(op.getClass());
    return kernel == null
        ? new Support.Unsupported("the TornadoVM backend has no kernel for it")
        : supports(kernel, op, inputs, outputs);
  }

  private static <O extends Op> Support supports(TornadoKernel<O> kernel, Op op, List<TensorType> inputs,
      List<TensorType> outputs) {
    return kernel.supports(kernel.op().cast(op), inputs, outputs);
  }

  static void emit(Op op, Launch launch) {
    TornadoKernel<?> kernel = BY_OP.get(op.getClass());
    if (kernel == null) {
      throw new IllegalStateException("planned without a kernel: " + op.name());
    }
    emit(kernel, op, launch);
  }

  private static <O extends Op> void emit(TornadoKernel<O> kernel, Op op, Launch launch) {
    kernel.emit(kernel.op().cast(op), launch);
  }
}
