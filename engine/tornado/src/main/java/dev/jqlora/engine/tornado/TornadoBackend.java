package dev.jqlora.engine.tornado;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.backend.PageTable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.TornadoDeviceType;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/**
 * Runs programs on TornadoVM's default device. Which ops it has kernels for, it says on any machine, and once it has
 * looked at the device, which of them that cannot run.
 */
public final class TornadoBackend implements Backend {
  /** Device memory that is left for the driver, the code of kernels, and whatever else the device shows. */
  static final long RESERVE = 256L << 20;

  /** The most that is allocated at a time, whatever the device can. */
  private final long mostBytes;
  private final TornadoKernels kernels;
  private @Nullable TornadoDevice device;

  public TornadoBackend() {
    this(Long.MAX_VALUE, new TornadoKernels());
  }

  /** For tests: a device that allocates no more than so many bytes at a time. */
  TornadoBackend(long mostBytes) {
    this(mostBytes, new TornadoKernels());
  }

  /** For tests: other kernels. */
  TornadoBackend(TornadoKernels kernels) {
    this(Long.MAX_VALUE, kernels);
  }

  private TornadoBackend(long mostBytes, TornadoKernels kernels) {
    this.mostBytes = mostBytes;
    this.kernels = kernels;
  }

  private long mostBytes() {
    return Math.min(mostBytes, checkedDevice().getMaxAllocMemory());
  }

  /** The device, once it has shown that it computes rightly; see {@link Canary}. */
  private TornadoDevice checkedDevice() {
    TornadoDevice there = device;
    if (there == null) {
      there = defaultDevice();
      Canary.check(there.getDescription());
      device = there;
    }
    return there;
  }

  private static TornadoDevice defaultDevice() {
    try {
      return TornadoRuntimeProvider.getTornadoRuntime().getDefaultDevice();
    } catch (LinkageError | RuntimeException e) {
      // Its runtime looks for devices while its class is initialized.
      throw new JqloraException(JqloraException.Kind.BACKEND,
          "TornadoVM finds no device: install the device's driver (for the CPU alone: pocl-opencl-icd), until clinfo lists it",
          e);
    }
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

  /**
   * All of the device's memory but a reserve: TornadoVM does not tell what others have taken of it. A CPU's is the
   * host's, which is swapped and shared like any process's, so there is no such limit, just as the CPU backend has none.
   */
  @Override
  public long availableBytes() {
    TornadoDevice there = checkedDevice();
    return availableBytes(there.getDeviceType(), there.getMaxGlobalMemory());
  }

  static long availableBytes(TornadoDeviceType type, long bytes) {
    return type == TornadoDeviceType.CPU ? Long.MAX_VALUE : Math.max(0, bytes - RESERVE);
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    TornadoDevice there = device;
    return kernels.supports(op, inputs, outputs, there == null || there.getDeviceContext().isFP64Supported());
  }

  @Override
  public PageTable pageTable() {
    return new PageTable(DeviceArrays::kind);
  }

  @Override
  public long residentBytes(Collection<TensorType> states, PageTable pages, Collection<Plan> plans) {
    DeviceMemory memory = new DeviceMemory(mostBytes());
    memory.setPools(pages.pools().stream().collect(Collectors.toMap(kind -> kind, _ -> 0L)));
    int number = 0;
    for (TensorType state : states) {
      memory.add("state" + number++, state);
    }
    plans.forEach(plan -> memory.reserve(new ArenaMap(plan).bytes()));
    return memory.bytes();
  }

  /** Writes the program's task graphs, as a session does, to see what they hold. */
  @Override
  public long programBytes(Plan plan, PageTable pages) {
    DeviceMemory memory = new DeviceMemory(Long.MAX_VALUE);
    plan.states().forEach((state, type) -> {
      if (pages.contains(state)) {
        memory.addPaged(state, type);
      } else {
        memory.add(state, type);
      }
    });
    ArenaMap arena = new ArenaMap(plan);
    memory.reserve(arena.bytes());
    memory.pretend();
    Graphs graphs = new Graphs();
    new DeviceProgram(plan, arena, memory, graphs, kernels);
    return graphs.bytes();
  }

  /** Throws JqloraException of kind BACKEND where the device computes wrongly. */
  @Override
  public Session open(long memoryLimitBytes) {
    return new TornadoSession(this, kernels, memoryLimitBytes, mostBytes());
  }

  @Override
  public void close() {}
}
