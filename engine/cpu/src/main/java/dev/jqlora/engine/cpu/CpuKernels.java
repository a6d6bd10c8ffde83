package dev.jqlora.engine.cpu;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.MixedPrecision;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The list of kernels: a new one is a file of its own and a line here. */
final class CpuKernels {
  private static final List<CpuKernel<?>> KERNELS = List.of(new AdamW8bitCpu(), new AdamWCpu(), new AddCpu(),
      new CacheWriteCpu(), new CachedAttentionCpu(), new CastCpu(), new CausalAttentionCpu(),
      new CausalAttentionGradientCpu(), new DropoutCpu(), new EmbeddingCpu(), new EmbeddingGradientCpu(),
      new FillCpu(),
      new LinearArgMaxCpu(), new LinearCrossEntropyCpu(), new LoraLinearCpu(), new MatMulCpu(), new MultiplyCpu(),
      new Nf4LinearArgMaxCpu(), new Nf4LinearCpu(), new Nf4LinearCrossEntropyCpu(), new Nf4LinearGradientCpu(),
      new RmsNormCpu(), new RmsNormGradientCpu(), new RmsNormWeightGradientCpu(),
      new RopeCpu(),
      new ScaleCpu(), new SumOfSquaresCpu(), new SwiGluCpu(), new SwiGluGradientCpu());

  private static final Map<Class<?>, CpuKernel<?>> BY_OP = new HashMap<>();

  static {
    KERNELS.forEach(kernel -> BY_OP.put(kernel.op(), kernel));
  }

  private CpuKernels() {}

  static Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs, int threads) {
    if (MixedPrecision.storesBf16(op, inputs)) {
      return new Support.Unsupported("the CPU backend stores activations in F32");
    }
    CpuKernel<?> kernel = BY_OP.get(op.getClass());
    return kernel == null
        ? new Support.Unsupported("the CPU backend has no kernel for it")
        : supports(kernel, op, inputs, outputs, threads);
  }

  private static <O extends Op> Support supports(CpuKernel<O> kernel, Op op, List<TensorType> inputs,
      List<TensorType> outputs, int threads) {
    O own = kernel.op().cast(op);
    return switch (kernel.supports(own, inputs, outputs)) {
      case Support.Native _ -> new Support.Native(kernel.scratchBytes(own, inputs, outputs, threads));
      case Support.Unsupported no -> no;
    };
  }

  static void run(Op op, CpuKernel.Call call) {
    CpuKernel<?> kernel = BY_OP.get(op.getClass());
    if (kernel == null) {
      throw new IllegalStateException("planned without a kernel: " + op.name());
    }
    run(kernel, op, call);
  }

  private static <O extends Op> void run(CpuKernel<O> kernel, Op op, CpuKernel.Call call) {
    kernel.run(kernel.op().cast(op), call);
  }
}
