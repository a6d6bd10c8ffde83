package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import org.jspecify.annotations.Nullable;

/**
 * States and one arena in device memory; programs share the arena. A program's second run is recorded, and from then on it is
 * launched as a whole; not so where states are in pages, whose places change from run to run.
 */
final class CudaSession implements Session {
  /** Page-locked memory that states are written and read through. */
  private static final long STAGING = 16L << 20;
  private static final boolean GRAPHS = Boolean.parseBoolean(System.getProperty("jqlora.cuda.graphs", "true"));

  private final Gpu gpu;
  private final Capabilities capabilities;
  private final SessionAccount account;
  private final DeviceCount memory = new DeviceCount();
  private final CudaPages pages;
  private final Map<String, Long> addresses = new HashMap<>();
  private final List<CudaExecutable> executables = new ArrayList<>();
  private Driver.@Nullable Pinned staging;
  private long arena;
  private long arenaBytes;

  CudaSession(Gpu gpu, Capabilities capabilities, long limit) {
    this.gpu = gpu;
    this.capabilities = capabilities;
    account = new SessionAccount(limit);
    pages = new CudaPages(gpu, account, memory);
  }

  @Override
  public void allocate(String state, TensorType type) {
    gpu.enter();
    account.allocate(state, type);
    pages.fit();
    long address = memory.allocate(SessionAccount.deviceBytes(type), "state " + state);
    addresses.put(state, address);
    Driver.fill(address, 0, 1, type.bytes(), gpu.stream());
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    gpu.enter();
    account.allocatePaged(state, type, pageCount);
    pages.fit();
  }

  @Override
  public TensorType type(String state) {
    return account.type(state);
  }

  private long address(String state) {
    return Objects.requireNonNull(addresses.get(state), state);
  }

  @Override
  public void write(String state, long offset, MemorySegment bytes) {
    Objects.checkFromIndexSize(offset, bytes.byteSize(), account.type(state).bytes());
    gpu.enter();
    if (pages.contains(state)) {
      pages.write(state, offset, bytes, this);
    } else {
      copyIn(address(state) + offset, bytes, state);
    }
  }

  @Override
  public void read(String state, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), account.type(state).bytes());
    gpu.enter();
    if (pages.contains(state)) {
      pages.read(state, offset, target, this);
    } else {
      copyOut(target, address(state) + offset, state);
    }
  }

  /** Copies host memory of any kind to the device, and waits for it. */
  void copyIn(long address, MemorySegment bytes, String state) {
    Driver.Pinned room = staging();
    for (long done = 0; done < bytes.byteSize(); done += STAGING) {
      long count = Math.min(STAGING, bytes.byteSize() - done);
      MemorySegment.copy(bytes, done, room.segment(), 0, count);
      Driver.copyIn(address + done, room, 0, count, gpu.stream());
      gpu.synchronize("writing state " + state);
    }
  }

  /** Copies device memory to host memory of any kind. */
  void copyOut(MemorySegment target, long address, String state) {
    Driver.Pinned room = staging();
    for (long done = 0; done < target.byteSize(); done += STAGING) {
      long count = Math.min(STAGING, target.byteSize() - done);
      Driver.copyOut(room, 0, address + done, count, gpu.stream());
      gpu.synchronize("reading state " + state);
      MemorySegment.copy(room.segment(), 0, target, done, count);
    }
  }

  private Driver.Pinned staging() {
    Driver.Pinned room = staging;
    if (room == null) {
      room = Driver.Pinned.allocate(STAGING);
      staging = room;
    }
    return room;
  }

  @Override
  public long usedBytes() {
    return account.usedBytes();
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
  public Executable compile(Program program) {
    account.checkStates(program);
    Plan plan = Planner.plan(program, capabilities);
    gpu.enter();
    boolean larger = account.reserveArena(plan);
    pages.fit();
    if (larger) {
      executables.forEach(CudaExecutable::forgetRecording);
      freeArena();
      arena = memory.allocate(plan.arenaBytes(), "the memory of program " + program.name());
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
    if (staging != null) {
      staging.free();
      staging = null;
    }
  }

  /** Where the feeds or the fetches of a program lie in page-locked memory. */
  private record Mailbox(Map<String, Long> offsets, Driver.Pinned memory) {
    static Mailbox of(Map<String, Operand> operands) {
      Map<String, Long> offsets = new LinkedHashMap<>();
      long size = 0;
      for (Map.Entry<String, Operand> entry : operands.entrySet()) {
        offsets.put(entry.getKey(), size);
        size += Math.ceilDiv(entry.getValue().type().bytes(), 64L) * 64;
      }
      return new Mailbox(offsets, Driver.Pinned.allocate(size));
    }

    long offset(String name) {
      return Objects.requireNonNull(offsets.get(name), name);
    }

    MemorySegment slot(String name, Operand operand) {
      return memory.segment().asSlice(offset(name), operand.type().bytes());
    }
  }

  private final class CudaExecutable implements Executable {
    private final Plan plan;
    private final Mailbox feeds;
    private final Mailbox fetches;
    private final Map<String, Tensor> results = new LinkedHashMap<>();
    private boolean ran;
    private @Nullable CUgraphExec recording;

    CudaExecutable(Plan plan) {
      this.plan = plan;
      feeds = Mailbox.of(plan.feeds());
      fetches = Mailbox.of(plan.fetches());
      plan.fetches().forEach((name, operand) -> results.put(name, Tensor.allocate(Arena.ofAuto(), operand.type())));
    }

    @Override
    public Plan plan() {
      return plan;
    }

    @Override
    public Map<String, Tensor> run(Map<String, Tensor> given) {
      SessionAccount.checkFeeds(plan, given);
      gpu.enter();
      plan.feeds().forEach((name, operand) -> feeds.slot(name, operand)
          .copyFrom(Objects.requireNonNull(given.get(name), name).data()));
      if (ran && GRAPHS && pages.isEmpty()) {
        Driver.launch(recorded(), gpu.stream());
      } else {
        enqueue();
        ran = true;
      }
      gpu.synchronize("running program " + plan.program().name());
      plan.fetches().forEach((name, operand) -> Objects.requireNonNull(results.get(name)).data()
          .copyFrom(fetches.slot(name, operand)));
      return results;
    }

    private CUgraphExec recorded() {
      CUgraphExec graph = recording;
      if (graph == null) {
        Driver.beginCapture(gpu.stream());
        try {
          enqueue();
        } finally {
          graph = Driver.endCapture(gpu.stream());
        }
        recording = graph;
      }
      return graph;
    }

    private void enqueue() {
      int[] indices = new int[0];
      CUstream stream = gpu.stream();
      plan.feeds().forEach((name, operand) -> Driver.copyIn(memory(operand.slot(), indices), feeds.memory(),
          feeds.offset(name), operand.type().bytes(), stream));
      enqueue(plan.steps(), indices);
      pages.bring(List.copyOf(plan.fetches().values()), List.of(), indices);
      plan.fetches().forEach((name, operand) -> Driver.copyOut(fetches.memory(), fetches.offset(name),
          memory(operand.slot(), indices), operand.type().bytes(), stream));
    }

    private void enqueue(List<Step> steps, int[] indices) {
      for (Step step : steps) {
        switch (step) {
          case Step.Launch launch -> launch(launch, indices);
          case Step.Copy(Operand from, Operand to) -> {
            pages.bring(List.of(from), List.of(to), indices);
            Driver.copy(memory(to.slot(), indices), memory(from.slot(), indices), to.type().bytes(), gpu.stream());
          }
          case Step.Loop loop -> enqueue(loop, indices);
        }
      }
    }

    private void launch(Step.Launch launch, int[] indices) {
      pages.bring(launch.inputs(), launch.outputs(), indices);
      CudaKernels.enqueue(launch.node().op(), new CudaKernel.Call(resolve(launch.inputs(), indices),
          resolve(launch.outputs(), indices), memory(launch.scratch(), indices), gpu.launcher()));
    }

    private void enqueue(Step.Loop loop, int[] outer) {
      int[] indices = Arrays.copyOf(outer, outer.length + 1);
      for (int i = 0; i < loop.count(); i++) {
        int index = loop.reverse() ? loop.count() - 1 - i : i;
        indices[outer.length] = index;
        Driver.fill(memory(loop.index().slot(), indices), index, Integer.BYTES, 1, gpu.stream());
        enqueue(loop.body(), indices);
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
      return pages.contains(state) ? pages.address(state, offset) : address(state) + offset;
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
      feeds.memory().free();
      fetches.memory().free();
    }
  }
}
