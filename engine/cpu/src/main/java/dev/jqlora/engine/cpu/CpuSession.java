package dev.jqlora.engine.cpu;

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
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/** States, pages and one arena in native memory; programs run one at a time and share the arena. */
final class CpuSession implements Session {
  private final Capabilities capabilities;
  private final SessionAccount account;
  private final CpuPages pages;
  private final CpuContext context;
  private final KernelListener listener;
  private final DeviceMemory memory = new DeviceMemory();
  private final DeviceMemory.Region states = memory.region();
  private final Map<String, Tensor> tensors = new HashMap<>();
  private DeviceMemory.Region scratch = memory.region();
  private MemorySegment arena = MemorySegment.NULL;

  CpuSession(Capabilities capabilities, long limit, CpuContext context, KernelListener listener) {
    this.capabilities = capabilities;
    account = new SessionAccount(limit);
    pages = new CpuPages(account, memory);
    this.context = context;
    this.listener = listener;
  }

  @Override
  public void allocate(String state, TensorType type) {
    account.allocate(state, type);
    pages.fit();
    tensors.put(state, new Tensor(type, states.allocate(type.bytes())));
  }

  @Override
  public void allocatePaged(String state, TensorType type, int pageCount) {
    account.allocatePaged(state, type, pageCount);
    pages.fit();
  }

  @Override
  public TensorType type(String state) {
    return account.type(state);
  }

  private Tensor tensor(String state) {
    return Objects.requireNonNull(tensors.get(state));
  }

  @Override
  public void write(String state, long offset, MemorySegment bytes) {
    Objects.checkFromIndexSize(offset, bytes.byteSize(), account.type(state).bytes());
    if (pages.contains(state)) {
      pages.write(state, offset, bytes);
    } else {
      MemorySegment.copy(bytes, 0, tensor(state).data(), offset, bytes.byteSize());
    }
  }

  @Override
  public void read(String state, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), account.type(state).bytes());
    if (pages.contains(state)) {
      pages.read(state, offset, target);
    } else {
      MemorySegment.copy(tensor(state).data(), offset, target, 0, target.byteSize());
    }
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
    boolean larger = account.reserveArena(plan);
    pages.fit();
    if (larger) {
      scratch.close();
      scratch = memory.region();
      arena = scratch.allocate(plan.arenaBytes());
    }
    return new CpuExecutable(plan);
  }

  @Override
  public void close() {
    scratch.close();
    pages.close();
    states.close();
  }

  private final class CpuExecutable implements Executable {
    private final Plan plan;

    CpuExecutable(Plan plan) {
      this.plan = plan;
    }

    @Override
    public Plan plan() {
      return plan;
    }

    @Override
    public Map<String, Tensor> run(Map<String, Tensor> feeds) {
      SessionAccount.checkFeeds(plan, feeds);
      int[] indices = new int[0];
      plan.feeds().forEach((name, operand) -> resolve(operand, indices).data()
          .copyFrom(Objects.requireNonNull(feeds.get(name), name).data()));
      run(plan.steps(), indices);
      pages.bring(List.copyOf(plan.fetches().values()), List.of(), indices);
      return plan.fetches().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
          entry -> resolve(entry.getValue(), indices), (first, _) -> first, LinkedHashMap::new));
    }

    private void run(List<Step> steps, int[] indices) {
      for (Step step : steps) {
        switch (step) {
          case Step.Launch launch -> launch(launch, indices);
          case Step.Copy(Operand from, Operand to) -> {
            pages.bring(List.of(from), List.of(to), indices);
            resolve(to, indices).data().copyFrom(resolve(from, indices).data());
          }
          case Step.Loop loop -> loop(loop, indices);
        }
      }
    }

    private void loop(Step.Loop loop, int[] outer) {
      int[] indices = Arrays.copyOf(outer, outer.length + 1);
      for (int i = 0; i < loop.count(); i++) {
        int index = loop.reverse() ? loop.count() - 1 - i : i;
        indices[outer.length] = index;
        resolve(loop.index(), indices).data().set(ValueLayout.JAVA_INT, 0, index);
        run(loop.body(), indices);
      }
    }

    private void launch(Step.Launch launch, int[] indices) {
      long begin = System.nanoTime();
      pages.bring(launch.inputs(), launch.outputs(), indices);
      CpuKernels.run(launch.node().op(),
          new CpuKernel.Call(resolve(launch.inputs(), indices), resolve(launch.outputs(), indices),
              memory(launch.scratch(), indices, launch.scratchBytes()), context));
      listener.ran(launch.node(), System.nanoTime() - begin);
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
      return pages.contains(state)
          ? pages.memory(state, offset, bytes)
          : tensor(state).data().asSlice(offset, bytes);
    }
  }
}
