package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/** Runs programs on TornadoVM's default device. Which ops it has kernels for, it says on any machine. */
public final class TornadoBackend implements Backend {
  private @Nullable TornadoDevice device;

  /** The device, once it has shown that it computes rightly; see {@link Canary}. */
  private TornadoDevice checkedDevice() {
    TornadoDevice there = device;
    if (there == null) {
      there = TornadoRuntimeProvider.getTornadoRuntime().getDefaultDevice();
      Canary.check(there.getDescription());
      device = there;
    }
    return there;
  }

  @Override
  public String name() {
    return "tornado";
  }

  @Override
  public String device() {
    TornadoDevice there = checkedDevice();
    return "%s on %s, %s, %,d MB, %,d MB at a time".formatted(there.getTornadoVMBackend(),
        there.getPlatformName().strip(), there.getDescription().strip(), there.getMaxGlobalMemory() >> 20,
        there.getMaxAllocMemory() >> 20);
  }

  @Override
  public Optional<GpuInfo> gpu() {
    TornadoDevice there = checkedDevice();
    return there.getDeviceType() == TornadoDeviceType.GPU
        ? Optional.of(new GpuInfo(there.getDescription().strip(), there.getMaxGlobalMemory(), OptionalLong.empty(),
            new LinkedHashMap<>(Map.of("platform", there.getPlatformName().strip()))))
        : Optional.empty();
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return TornadoKernels.supports(op, inputs, outputs);
  }

  /** Throws JqloraException of kind BACKEND where the device computes wrongly. */
  @Override
  public Session open(long memoryLimitBytes) {
    return new TornadoSession(this, memoryLimitBytes, checkedDevice().getMaxAllocMemory());
  }

  @Override
  public void close() {}
}
