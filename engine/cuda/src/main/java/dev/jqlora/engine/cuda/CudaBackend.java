package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.op.MixedPrecision;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Optional;

/** Runs programs on an NVIDIA GPU. */
public final class CudaBackend implements Backend {
  private final Gpu gpu;
  private final Precision precision;

  public CudaBackend(Precision precision) {
    gpu = new Gpu(0, precision);
    this.precision = precision;
  }

  @Override
  public String name() {
    return CudaBackendProvider.NAME;
  }

  @Override
  public String device() {
    return gpu.describe();
  }

  @Override
  public DType products() {
    return precision == Precision.BF16 ? DType.BF16 : DType.F32;
  }

  @Override
  public Optional<GpuInfo> gpu() {
    return Optional.of(gpu.info());
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return precision == Precision.FLOAT32 && MixedPrecision.storesBf16(op, inputs)
        ? new Support.Unsupported("in float32 activations are stored in F32 too")
        : CudaKernels.supports(op, inputs, outputs);
  }

  @Override
  public long availableBytes() {
    return gpu.availableBytes();
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return new CudaSession(gpu, this, memoryLimitBytes);
  }

  @Override
  public void close() {
    gpu.close();
  }
}
