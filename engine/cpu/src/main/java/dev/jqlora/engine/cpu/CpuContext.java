package dev.jqlora.engine.cpu;

/** What kernels compute with: the threads, and the tools that keep scratch memory for each of them. */
record CpuContext(Workers workers, Gemm gemm, AttentionKernel attention, AttentionGradientKernel attentionGradient) {
  static CpuContext of(Workers workers) {
    return new CpuContext(workers, new Gemm(workers), new AttentionKernel(workers),
        new AttentionGradientKernel(workers));
  }
}
