package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;

/** Runs programs on the host's processors with vector instructions, on a fixed number of threads. */
public final class CpuBackend implements Backend {
  private final Workers workers;
  private final CpuContext context;

  /**
   * @param threads how many threads compute, the caller among them; results do not depend on it
   * @throws JqloraException if this Java denies the engine native access
   */
  public CpuBackend(int threads) {
    if (!FloatMemory.isAccessible()) {
      throw new JqloraException(Kind.BACKEND, "the cpu backend cannot run: " + CpuBackendProvider.NO_ACCESS);
    }
    workers = new Workers(threads);
    context = CpuContext.of(workers);
  }

  @Override
  public String name() {
    return "cpu";
  }

  @Override
  public String device() {
    return "%s, %d threads, %d-bit vectors".formatted(System.getProperty("os.arch"), workers.threads(),
        VectorWidth.LANES * Float.SIZE);
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return CpuKernels.supports(op, inputs, outputs, workers.threads());
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return new CpuSession(this, memoryLimitBytes, context);
  }

  @Override
  public void close() {
    workers.close();
  }
}
