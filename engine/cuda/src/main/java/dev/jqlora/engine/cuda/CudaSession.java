package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.PlanRunner;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import org.jspecify.annotations.Nullable;

/**
 * States and one arena in device memory; programs share the arena. A program's second run is recorded, and from then on it is
 * launched as a whole; not so where it uses states in pages, whose places change from run to run, nor where a profile is to
 * tell of each op.
 */
final class CudaSession extends AccountedSession {
  private static final boolean GRAPHS = Boolean.parseBoolean(System.getProperty("jqlora.cuda.graphs", "true"));

  private final Gpu gpu;
  private final DeviceCount memory = new DeviceCount();
  private final Staging staging;
  private final DevicePages<?> pageMemory;
  private final PagedStates pages;
  private final KernelTimes times;
  private final Map<String, Long> addresses = new HashMap<>();
  private final List<CudaExecutable> executables = new ArrayList<>();
  private long arena;
  private long arenaBytes;

  CudaSession(Gpu gpu, Capabilities capabilities, long limit) {
    super(capabilities, new SessionAccount(limit));
    this.gpu = gpu;
    staging = new Staging(gpu);
    pageMemory = gpu.movesManagedMemory()
        ? new ManagedPages(gpu, account(), memory, staging)
        : new PooledPages(gpu, account(), memory, staging);
    pages = new PagedStates(account(), pageMemory);
    times = new KernelTimes(gpu.stream());
  }

  @Override
  protected void make(String state, TensorType type) {
    gpu.enter();
    pages.fit();
    long address = memory.allocate(SessionAccount.deviceBytes(type), "state " + state);
    addresses.put(state, address);
    Driver.fill(address, 0, 1, type.bytes(), gpu.stream());
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    gpu.enter();
    account().allocatePaged(state, type, pageCount);
    pages.fit();
  }

  private long address(String state) {
    return Objects.requireNonNull(addresses.get(state), state);
  }

  @Override
  protected void copyIn(String state, long offset, MemorySegment bytes) {
    gpu.enter();
    if (pages.contains(state)) {
      pages.write(state, offset, bytes);
    } else {
      staging.copyIn(address(state) + offset, bytes, state);
    }
  }

  @Override
  protected void copyOut(String state, long offset, MemorySegment target) {
    gpu.enter();
    if (pages.contains(state)) {
      pages.read(state, offset, target);
    } else {
      staging.copyOut(target, address(state) + offset, state);
    }
  }

  @Override
  public long peakBytes() {
    return memory.peakBytes();
  }

  @Override
  public PagingCounts paging() {
    return pages.counts();
  }

  @Override
  protected Executable executable(Plan plan, boolean larger) {
    gpu.enter();
    pages.fit();
    if (larger) {
      executables.forEach(CudaExecutable::forgetRecording);
      freeArena();
      arena = memory.allocate(plan.arenaBytes(), "the memory of program " + plan.program().name());
      arenaBytes = plan.arenaBytes();
    }
    CudaExecutable executable = new CudaExecutable(plan);
    executables.add(executable);
    return executable;
  }

  private void freeArena() {
    if (arena != 0) {
      memory.free(arena, arenaBytes);
      arena = 0;
    }
  }

  /** Gives everything back, unless a failure has ended the context: then the driver has. */
  @Override
  public void close() {
    gpu.enter();
    if (gpu.lost()) {
      return;
    }
    executables.forEach(CudaExecutable::close);
    addresses.values().forEach(Driver::free);
    addresses.clear();
    freeArena();
    pages.close();
    pageMemory.close();
    staging.close();
    times.close();
  }

  private final class CudaExecutable extends PlannedExecutable {
    private final Mailbox feeds;
    private final Mailbox fetches;
    private final Map<String, Tensor> results = new LinkedHashMap<>();
    private final boolean recordable;
    private boolean ran;
    private @Nullable CUgraphExec recording;

    CudaExecutable(Plan plan) {
      super(plan);
      feeds = new Mailbox(plan.feeds());
      fetches = new Mailbox(plan.fetches());
      plan.fetches().forEach((name, operand) -> results.put(name, Tensor.allocate(Arena.ofAuto(), operand.type())));
      recordable = GRAPHS && Stream.concat(plan.program().inputs().stream(), plan.program().outputs().stream())
          .noneMatch(binding -> binding instanceof Program.State(String state) && pages.contains(state));
    }

    @Override
    protected Map<String, Tensor> execute(Map<String, Tensor> given) {
      gpu.enter();
      plan().feeds().forEach((name, operand) -> feeds.slot(name, operand)
          .copyFrom(Objects.requireNonNull(given.get(name), name).data()));
      Profile.Run run = profiledRun();
      if (ran && recordable && run == null) {
        Driver.launch(recorded(), gpu.stream());
      } else {
        times.begin();
        enqueue();
        ran = true;
      }
      gpu.synchronize("running program " + plan().program().name());
      if (run != null) {
        times.tell(run);
      }
      plan().fetches().forEach((name, operand) -> Objects.requireNonNull(results.get(name)).data()
          .copyFrom(fetches.slot(name, operand)));
      return results;
    }

    private CUgraphExec recorded() {
      CUgraphExec graph = recording;
      if (graph == null) {
        Driver.beginCapture(gpu.stream());
        try {
          enqueue();
        } catch (RuntimeException e) {
          Driver.abandonCapture(gpu.stream());
          throw e;
        }
        graph = Driver.endCapture(gpu.stream());
        recording = graph;
      }
      return graph;
    }

    private void enqueue() {
      int[] outside = {};
      CUstream stream = gpu.stream();
      plan().feeds().forEach((name, operand) -> Driver.copyIn(memory(operand.slot(), outside), feeds.memory(),
          feeds.offset(name), operand.type().bytes(), stream));
      new CudaRunner().run(plan().steps());
      pages.bring(List.copyOf(plan().fetches().values()), List.of(), outside);
      plan().fetches().forEach((name, operand) -> Driver.copyOut(fetches.memory(), fetches.offset(name),
          memory(operand.slot(), outside), operand.type().bytes(), stream));
    }

    /** The arena moves: what was recorded names the old one. */
    void forgetRecording() {
      if (recording != null) {
        Driver.destroy(recording);
        recording = null;
      }
    }

    void close() {
      forgetRecording();
      feeds.close();
      fetches.close();
    }
  }

  private final class CudaRunner extends PlanRunner {
    @Override
    protected void launch(Step.Launch launch, int[] indices) {
      pages.bring(launch.inputs(), launch.outputs(), indices);
      Op op = launch.node().op();
      CudaKernel.Call call = new CudaKernel.Call(resolve(launch.inputs(), indices), resolve(launch.outputs(), indices),
          memory(launch.scratch(), indices), gpu.launcher());
      if (profiledRun() == null) {
        CudaKernels.enqueue(op, call);
      } else {
        times.time(op, () -> CudaKernels.enqueue(op, call));
      }
    }

    @Override
    protected void copy(Operand from, Operand to, int[] indices) {
      pages.bring(List.of(from), List.of(to), indices);
      Driver.copy(memory(to.slot(), indices), memory(from.slot(), indices), to.type().bytes(), gpu.stream());
    }

    @Override
    protected void setIndex(Operand operand, int[] indices) {
      Driver.fill(memory(operand.slot(), indices), indices[indices.length - 1], Integer.BYTES, 1, gpu.stream());
    }
  }

  private List<CudaKernel.Buffer> resolve(List<Operand> operands, int[] indices) {
    return operands.stream()
        .map(operand -> new CudaKernel.Buffer(operand.type(), memory(operand.slot(), indices))).toList();
  }

  private long memory(Slot slot, int[] indices) {
    String state = slot.state();
    long offset = slot.at(indices);
    if (state == null) {
      return arena + offset;
    }
    if (pages.contains(state)) {
      Page page = pages.page(state, offset);
      return pageMemory.address(page, pages.place(page)) + offset - page.offset();
    }
    return address(state) + offset;
  }
}
