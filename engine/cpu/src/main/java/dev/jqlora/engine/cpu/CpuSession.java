package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.backend.PagedStates;
import dev.jqlora.engine.backend.PagingCounts;
import dev.jqlora.engine.backend.PlanRunner;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/** States, pages and one arena in native memory; programs run one at a time and share the arena. */
final class CpuSession extends AccountedSession {
  private final CpuPages pageMemory;
  private final PagedStates pages;
  private final CpuContext context;
  private final DeviceMemory memory = new DeviceMemory();
  private final DeviceMemory.Region states = memory.region();
  private final Map<String, Tensor> tensors = new HashMap<>();
  private DeviceMemory.Region scratch = memory.region();
  private MemorySegment arena = MemorySegment.NULL;

  CpuSession(Capabilities capabilities, long limit, CpuContext context) {
    super(capabilities, new SessionAccount(limit));
    pageMemory = new CpuPages(account(), memory);
    pages = new PagedStates(account(), pageMemory);
    this.context = context;
  }

  @Override
  protected void make(String state, TensorType type) {
    pages.fit();
    tensors.put(state, new Tensor(type, states.allocate(type.bytes())));
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    allocatePaged(state, type, pageCount, pages::fit);
  }

  private Tensor tensor(String state) {
    return Objects.requireNonNull(tensors.get(state), state);
  }

  @Override
  protected void copyIn(String state, long offset, MemorySegment bytes) {
    if (pages.contains(state)) {
      pages.write(state, offset, bytes);
    } else {
      MemorySegment.copy(bytes, 0, tensor(state).data(), offset, bytes.byteSize());
    }
  }

  @Override
  protected void copyOut(String state, long offset, MemorySegment target) {
    if (pages.contains(state)) {
      pages.read(state, offset, target);
    } else {
      MemorySegment.copy(tensor(state).data(), offset, target, 0, target.byteSize());
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
    pages.fit();
    if (larger) {
      enlargeArena(plan.arenaBytes());
    }
    return new CpuExecutable(plan);
  }

  /**
   * Makes a larger arena instead of the one there is, of which nothing is worth keeping between runs. Not beside it:
   * planning counts one. So where there is no memory for the larger, the programs before it get one as it was.
   */
  private void enlargeArena(long bytes) {
    long before = arena.byteSize();
    scratch.close();
    scratch = memory.region();
    arena = MemorySegment.NULL;
    try {
      arena = scratch.allocate(bytes);
    } catch (RuntimeException | Error e) {
      arena = scratch.allocate(before);
      throw e;
    }
  }

  @Override
  public void close() {
    scratch.close();
    pages.close();
    pageMemory.close();
    states.close();
  }

  private final class CpuExecutable extends PlannedExecutable {
    CpuExecutable(Plan plan) {
      super(plan);
    }

    @Override
    protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
      int[] outside = {};
      plan().feeds().forEach((name, operand) -> resolve(operand, outside).data()
          .copyFrom(Objects.requireNonNull(feeds.get(name), name).data()));
      new CpuRunner().run(plan().steps());
      pages.bring(List.copyOf(plan().fetches().values()), List.of(), outside);
      return plan().fetches().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
          entry -> resolve(entry.getValue(), outside), (first, _) -> first, LinkedHashMap::new));
    }
  }

  private final class CpuRunner extends PlanRunner {
    @Override
    protected void launch(Step.Launch launch, int[] indices) {
      pages.bring(launch.inputs(), launch.outputs(), indices);
      long begin = System.nanoTime();
      CpuKernels.run(launch.node().op(),
          new CpuKernel.Call(resolve(launch.inputs(), indices), resolve(launch.outputs(), indices),
              memory(launch.scratch(), indices, launch.scratchBytes()), context));
      Profile.Run run = profiledRun();
      if (run != null) {
        run.kernel(launch.node().op(), System.nanoTime() - begin);
      }
    }

    @Override
    protected void copy(Operand from, Operand to, int[] indices) {
      pages.bring(List.of(from), List.of(to), indices);
      resolve(to, indices).data().copyFrom(resolve(from, indices).data());
    }

    @Override
    protected void setIndex(Operand operand, int[] indices) {
      resolve(operand, indices).data().set(ValueLayout.JAVA_INT, 0, indices[indices.length - 1]);
    }
  }

  private List<Tensor> resolve(List<Operand> operands, int[] indices) {
    Tensor[] resolved = new Tensor[operands.size()];
    for (int i = 0; i < resolved.length; i++) {
      resolved[i] = resolve(operands.get(i), indices);
    }
    return List.of(resolved);
  }

  private Tensor resolve(Operand operand, int[] indices) {
    return new Tensor(operand.type(), memory(operand.slot(), indices, operand.type().bytes()));
  }

  private MemorySegment memory(Slot slot, int[] indices, long bytes) {
    String state = slot.state();
    long offset = slot.at(indices);
    if (state == null) {
      return arena.asSlice(offset, bytes);
    }
    if (pages.contains(state)) {
      Page page = pages.page(state, offset);
      return pageMemory.pool().asSlice(pages.place(page) + offset - page.offset(), bytes);
    }
    return tensor(state).data().asSlice(offset, bytes);
  }
}
