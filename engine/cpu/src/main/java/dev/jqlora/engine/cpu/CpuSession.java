package dev.jqlora.engine.cpu;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
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
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** States and one arena in native memory; programs run one at a time and share the arena. */
final class CpuSession implements Session {
  private static final long ALIGNMENT = 64;

  private final Capabilities capabilities;
  private final long limit;
  private final CpuContext context;
  private final Arena states = Arena.ofShared();
  private final Map<String, Tensor> tensors = new HashMap<>();
  private long stateBytes;
  private Arena scratch = Arena.ofShared();
  private MemorySegment arena = MemorySegment.NULL;
  private long arenaBytes;

  CpuSession(Capabilities capabilities, long limit, CpuContext context) {
    this.capabilities = capabilities;
    this.limit = limit;
    this.context = context;
  }

  @Override
  public void allocate(String state, TensorType type) {
    if (tensors.containsKey(state)) {
      throw new IllegalArgumentException("state " + state + " is already there");
    }
    checkLimit(stateBytes + type.bytes() + arenaBytes, "state " + state, type.bytes());
    tensors.put(state, new Tensor(type, states.allocate(type.bytes(), ALIGNMENT)));
    stateBytes += type.bytes();
  }

  private void checkLimit(long total, String what, long bytes) {
    if (total > limit) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          "%s takes %,d bytes, which makes %,d of a limit of %,d: raise device_memory, or lower cutoff_len or the batch size"
              .formatted(what, bytes, total, limit));
    }
  }

  @Override
  public TensorType type(String state) {
    return tensor(state).type();
  }

  private Tensor tensor(String state) {
    Tensor tensor = tensors.get(state);
    if (tensor == null) {
      throw new IllegalArgumentException("no state is named " + state);
    }
    return tensor;
  }

  @Override
  public void write(String state, long offset, MemorySegment bytes) {
    MemorySegment.copy(bytes, 0, tensor(state).data(), offset, bytes.byteSize());
  }

  @Override
  public void read(String state, long offset, MemorySegment target) {
    MemorySegment.copy(tensor(state).data(), offset, target, 0, target.byteSize());
  }

  @Override
  public long usedBytes() {
    return stateBytes + arenaBytes;
  }

  @Override
  public Executable compile(Program program) {
    for (int i = 0; i < program.inputs().size(); i++) {
      checkState(program.inputs().get(i), program.graph().inputs().get(i).type(), program.name());
    }
    for (int i = 0; i < program.outputs().size(); i++) {
      checkState(program.outputs().get(i), program.graph().outputs().get(i).type(), program.name());
    }
    Plan plan = Planner.plan(program, capabilities);
    if (plan.arenaBytes() > arenaBytes) {
      checkLimit(stateBytes + plan.arenaBytes(), "program " + program.name(), plan.arenaBytes());
      scratch.close();
      scratch = Arena.ofShared();
      arena = scratch.allocate(plan.arenaBytes(), ALIGNMENT);
      arenaBytes = plan.arenaBytes();
    }
    return new CpuExecutable(plan);
  }

  private void checkState(Program.Binding binding, TensorType type, String program) {
    if (binding instanceof Program.State(String name) && !type(name).equals(type)) {
      throw new IllegalArgumentException(
          "%s: state %s is %s, the program has it as %s".formatted(program, name, type(name), type));
    }
  }

  @Override
  public void close() {
    scratch.close();
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
      if (!feeds.keySet().equals(plan.feeds().keySet())) {
        throw new IllegalArgumentException("%s takes the feeds %s, got %s".formatted(plan.program().name(),
            plan.feeds().keySet().stream().sorted().toList(), feeds.keySet().stream().sorted().toList()));
      }
      int[] indices = new int[0];
      plan.feeds().forEach((name, operand) -> feed(name, operand, feeds));
      run(plan.steps(), indices);
      return plan.fetches().entrySet().stream().collect(Collectors.toMap(Map.Entry::getKey,
          entry -> resolve(entry.getValue(), indices), (first, _) -> first, LinkedHashMap::new));
    }

    private void feed(String name, Operand operand, Map<String, Tensor> feeds) {
      Tensor given = java.util.Objects.requireNonNull(feeds.get(name));
      if (!given.type().equals(operand.type())) {
        throw new IllegalArgumentException(
            "%s: feed %s is %s, got %s".formatted(plan.program().name(), name, operand.type(), given.type()));
      }
      resolve(operand, new int[0]).data().copyFrom(given.data());
    }

    private void run(List<Step> steps, int[] indices) {
      for (Step step : steps) {
        switch (step) {
          case Step.Launch launch -> launch(launch, indices);
          case Step.Copy(Operand from, Operand to) ->
            resolve(to, indices).data().copyFrom(resolve(from, indices).data());
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
      CpuKernels.run(launch.node().op(),
          new CpuKernel.Call(resolve(launch.inputs(), indices), resolve(launch.outputs(), indices),
              memory(launch.scratch(), indices, launch.scratchBytes()), context));
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
      MemorySegment base = state == null ? arena : tensor(state).data();
      return base.asSlice(slot.at(indices), bytes);
    }
  }
}
