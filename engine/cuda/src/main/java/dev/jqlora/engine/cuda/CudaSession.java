package dev.jqlora.engine.cuda;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.PlanRunner;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.error.JqloraException;
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
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
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
 * States and one arena in device memory; programs share the arena. A run that is begun is work in one stream: the host waits
 * where it wants results. A program's second run is recorded, and from then on it is launched as a whole, between the copies
 * of its feeds and of its fetches; not so where it uses pages that change their places from run to run, nor where a profile is
 * to tell of each op.
 */
final class CudaSession extends AccountedSession {
  private static final boolean GRAPHS = Boolean.parseBoolean(System.getProperty("jqlora.cuda.graphs", "true"));

  private static final int[] OUTSIDE = {};

  private final Gpu gpu;
  private final DeviceCount memory = new DeviceCount();
  private final Staging staging;
  private final DevicePages<?> pageMemory;
  private final PagedStates pages;
  private final KernelTimes times;
  private final FeedRoom feeds;
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
    feeds = new FeedRoom(gpu.stream());
  }

  @Override
  protected void make(String state, TensorType type) {
    gpu.enter();
    fitPages();
    long address = memory.allocate(type.alignedBytes(), "state " + state);
    addresses.put(state, address);
    Driver.fill(address, 0, 1, type.bytes(), gpu.stream());
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    gpu.enter();
    allocatePaged(state, type, pageCount, this::fitPages);
  }

  private void fitPages() {
    if (pages.fit()) {
      forgetRecordings();
    }
  }

  private void forgetRecordings() {
    gpu.synchronize("making room");
    executables.forEach(CudaExecutable::forgetRecording);
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
    fitPages();
    if (larger) {
      growArena(plan);
    }
    CudaExecutable executable = new CudaExecutable(plan);
    executables.add(executable);
    return executable;
  }

  /** Has an arena as large as a plan wants; where that cannot be had, one as large as before, for older programs. */
  private void growArena(Plan plan) {
    forgetRecordings();
    freeArena();
    String what = "the memory of program " + plan.program().name();
    try {
      arena = memory.allocate(plan.arenaBytes(), what);
      arenaBytes = plan.arenaBytes();
    } catch (JqloraException e) {
      try {
        openArena();
      } catch (JqloraException again) {
        e.addSuppressed(again);
      }
      throw e;
    }
  }

  /** Makes the arena where there is none: another process may have taken what was freed before it could be had again. */
  private void openArena() {
    if (arena == 0 && arenaBytes > 0) {
      arena = memory.allocate(arenaBytes, "the memory of programs");
    }
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
    feeds.close();
    times.close();
  }

  private final class CudaExecutable extends PlannedExecutable {
    private final Mail mail;
    /** Memory for the fetches of one run each; that of ended runs is used again. */
    private final List<Driver.Pinned> mailboxes = new ArrayList<>();
    private final Deque<Driver.Pinned> empty = new ArrayDeque<>();
    private final boolean usesPages;
    private boolean ran;
    private @Nullable CUgraphExec recording;

    CudaExecutable(Plan plan) {
      super(plan);
      mail = new Mail(plan.fetches());
      usesPages = Stream.concat(plan.program().inputs().stream(), plan.program().outputs().stream())
          .anyMatch(binding -> binding instanceof Program.State(String state) && pages.contains(state));
    }

    @Override
    protected Map<String, Tensor> execute(Map<String, Tensor> given) {
      Map<String, Tensor> fetches = start(given).fetches();
      Profile.Run run = profiledRun();
      if (run != null) {
        times.tell(run);
      }
      return fetches;
    }

    @Override
    protected Begun start(Map<String, Tensor> given) {
      gpu.enter();
      openArena();
      feeds.send(plan().feeds(), given, place -> memory(place.slot(), OUTSIDE));
      if (ran && isRecordable()) {
        Driver.launch(recorded(), gpu.stream());
      } else {
        times.begin();
        new CudaRunner().run(plan().steps());
        ran = true;
      }
      return fetch();
    }

    /** All addresses will be the same again, and nobody asks for each op. */
    private boolean isRecordable() {
      return GRAPHS && profiledRun() == null && (!usesPages || pages.holdsAll());
    }

    private CUgraphExec recorded() {
      CUgraphExec graph = recording;
      if (graph == null) {
        Driver.beginCapture(gpu.stream());
        try {
          new CudaRunner().run(plan().steps());
        } catch (RuntimeException e) {
          Driver.abandonCapture(gpu.stream());
          throw e;
        }
        graph = Driver.endCapture(gpu.stream());
        recording = graph;
      }
      return graph;
    }

    /** Puts the copies of the fetches into the stream. */
    private Begun fetch() {
      Map<String, Operand> fetches = plan().fetches();
      if (fetches.isEmpty()) {
        return new Fetching(null);
      }
      Driver.Pinned mailbox = mailbox();
      pages.bring(List.copyOf(fetches.values()), List.of(), OUTSIDE);
      fetches.forEach((name, operand) -> Driver.copyOut(mailbox, mail.offset(name), memory(operand.slot(), OUTSIDE),
          operand.type().bytes(), gpu.stream()));
      return new Fetching(mailbox);
    }

    private Driver.Pinned mailbox() {
      Driver.Pinned mailbox = empty.poll();
      if (mailbox == null) {
        mailbox = Driver.Pinned.allocate(mail.bytes());
        mailboxes.add(mailbox);
      }
      return mailbox;
    }

    /** The fetches of a run, which are read when they are first asked for. */
    private final class Fetching implements Begun {
      private final Map<String, Tensor> results = new LinkedHashMap<>();
      private final Driver.@Nullable Pinned mailbox;
      private boolean ended;

      Fetching(Driver.@Nullable Pinned mailbox) {
        this.mailbox = mailbox;
      }

      @Override
      public Map<String, Tensor> fetches() {
        if (!ended) {
          gpu.enter();
          gpu.synchronize("running program " + plan().program().name());
          if (mailbox != null) {
            plan().fetches().forEach((name, operand) -> results.put(name,
                new Tensor(operand.type(), mail.slice(name, mailbox)).copy()));
            empty.add(mailbox);
          }
          ended = true;
        }
        return results;
      }
    }

    /** Memory moves: what was recorded names its old place. */
    void forgetRecording() {
      ran = false;
      if (recording != null) {
        Driver.destroy(recording);
        recording = null;
      }
    }

    void close() {
      forgetRecording();
      mailboxes.forEach(Driver.Pinned::free);
      mailboxes.clear();
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
