package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * Does everything but compute: it lowers, plans, counts bytes and refuses what exceeds its limit, so programs of models of
 * any size can be compiled and accounted for anywhere. All states and results read as zeros.
 */
public final class NullBackend implements Backend {
  private final Capabilities capabilities;

  public NullBackend(Capabilities capabilities) {
    this.capabilities = capabilities;
  }

  @Override
  public String name() {
    return "null";
  }

  @Override
  public String device() {
    return "none: plans only";
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return capabilities.supports(op, inputs, outputs);
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return new NullSession(capabilities, memoryLimitBytes);
  }

  @Override
  public void close() {}

  private static final class NullSession implements Session {
    private final Capabilities capabilities;
    private final SessionAccount account;

    NullSession(Capabilities capabilities, long limit) {
      this.capabilities = capabilities;
      account = new SessionAccount(limit);
    }

    @Override
    public void allocate(String state, TensorType type) {
      account.allocate(state, type);
    }

    @Override
    public void allocatePaged(String state, TensorType type, int pages) {
      account.allocatePaged(state, type, pages);
    }

    @Override
    public TensorType type(String state) {
      return account.type(state);
    }

    @Override
    public void write(String state, long offset, MemorySegment bytes) {
      Objects.checkFromIndexSize(offset, bytes.byteSize(), type(state).bytes());
    }

    @Override
    public void read(String state, long offset, MemorySegment target) {
      Objects.checkFromIndexSize(offset, target.byteSize(), type(state).bytes());
      target.fill((byte) 0);
    }

    @Override
    public Executable compile(Program program) {
      account.checkStates(program);
      Plan plan = Planner.plan(program, capabilities);
      account.reserveArena(plan);
      return new Executable() {
        @Override
        public Plan plan() {
          return plan;
        }

        @Override
        public Map<String, Tensor> run(Map<String, Tensor> feeds) {
          SessionAccount.checkFeeds(plan, feeds);
          return plan.fetches().entrySet().stream()
              .collect(Collectors.toMap(Map.Entry::getKey, entry -> zeros(entry.getValue())));
        }
      };
    }

    private static Tensor zeros(Operand operand) {
      return Tensor.allocate(Arena.ofAuto(), operand.type());
    }

    @Override
    public long usedBytes() {
      return account.usedBytes();
    }

    @Override
    public void close() {}
  }
}
