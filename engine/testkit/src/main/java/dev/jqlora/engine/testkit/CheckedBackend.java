package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Executes plans by {@link PlanExecutor}: slow, in float64 rounded to the storage types, and suspicious of the plan. With
 * another backend's capabilities it tells that backend's kernels from its plans when something is wrong.
 */
public final class CheckedBackend implements Backend {
  private final Capabilities capabilities;

  public CheckedBackend(Capabilities capabilities) {
    this.capabilities = capabilities;
  }

  @Override
  public String name() {
    return "checked";
  }

  @Override
  public String device() {
    return "float64 evaluation of each step in guarded memory";
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return capabilities.supports(op, inputs, outputs);
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return new CheckedSession(capabilities, memoryLimitBytes);
  }

  @Override
  public void close() {}

  private static final class CheckedSession extends AccountedSession {
    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> states = new HashMap<>();

    CheckedSession(Capabilities capabilities, long limit) {
      super(capabilities, new SessionAccount(limit));
    }

    @Override
    protected void make(String state, TensorType type) {
      states.put(state, Tensor.allocate(arena, type));
    }

    private MemorySegment data(String state) {
      return Objects.requireNonNull(states.get(state), state).data();
    }

    @Override
    protected void copyIn(String state, long offset, MemorySegment bytes) {
      MemorySegment.copy(bytes, 0, data(state), offset, bytes.byteSize());
    }

    @Override
    protected void copyOut(String state, long offset, MemorySegment target) {
      MemorySegment.copy(data(state), offset, target, 0, target.byteSize());
    }

    @Override
    protected Executable executable(Plan plan, boolean larger) {
      PlanExecutor executor = new PlanExecutor(plan, states);
      return new PlannedExecutable(plan) {
        @Override
        protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
          return executor.run(feeds);
        }
      };
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
