package dev.jqlora.engine.cuda;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The list of kernels: a new one is a class, a {@code .cu} file of its own, and a line here. */
final class CudaKernels {
  private static final List<CudaKernel<?>> KERNELS = List.of(new AdamW8bitCuda(), new AdamWCuda(), new AddCuda(),
      new CacheWriteCuda(), new CachedAttentionCuda(), new CastCuda(), new CausalAttentionCuda(),
      new CausalAttentionGradientCuda(), new DoubleQuantizeCuda(), new DropoutCuda(), new EmbeddingCuda(),
      new EmbeddingGradientCuda(), new FillCuda(), new LinearArgMaxCuda(), new LinearCrossEntropyCuda(),
      new LoraLinearCuda(), new MatMulCuda(), new MultiplyCuda(), new Nf4LinearArgMaxCuda(),
      new Nf4LinearCrossEntropyCuda(), new Nf4LinearCuda(), new Nf4LinearGradientCuda(), new Nf4LoraLinearCuda(),
      new Nf4LoraLinearGradientCuda(), new Nf4QuantizeCuda(), new RmsNormCuda(),
      new RmsNormGradientCuda(), new RmsNormWeightGradientCuda(), new RopeCuda(), new ScaleCuda(),
      new SumOfSquaresCuda(), new SwiGluCuda(), new SwiGluGradientCuda());

  private static final Map<Class<?>, CudaKernel<?>> BY_OP = new HashMap<>();

  static {
    KERNELS.forEach(kernel -> BY_OP.put(kernel.op(), kernel));
  }

  private CudaKernels() {}

  static Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    CudaKernel<?> kernel = BY_OP.get(op.getClass());
    return kernel == null
        ? new Support.Unsupported("the CUDA backend has no kernel for it")
        : supports(kernel, op, inputs, outputs);
  }

  private static <O extends Op> Support supports(CudaKernel<O> kernel, Op op, List<TensorType> inputs,
      List<TensorType> outputs) {
    return kernel.supports(kernel.op().cast(op), inputs, outputs);
  }

  static void enqueue(Op op, CudaKernel.Call call) {
    CudaKernel<?> kernel = BY_OP.get(op.getClass());
    if (kernel == null) {
      throw new IllegalStateException("planned without a kernel: " + op.name());
    }
    enqueue(kernel, op, call);
  }

  private static <O extends Op> void enqueue(CudaKernel<O> kernel, Op op, CudaKernel.Call call) {
    kernel.enqueue(kernel.op().cast(op), call);
  }
}
