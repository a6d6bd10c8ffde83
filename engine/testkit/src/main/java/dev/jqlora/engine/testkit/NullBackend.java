package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Does everything but compute: it lowers, plans, counts bytes and refuses what exceeds its limit, so programs of models of
 * any size can be compiled and accounted for anywhere. All states and results read as zeros.
 */
public final class NullBackend implements Backend {
  private final Capabilities capabilities;
  private final DType products;

  public NullBackend(Capabilities capabilities) {
    this(capabilities, DType.F32);
  }

  /** @param products what the factors of products would be rounded to */
  public NullBackend(Capabilities capabilities, DType products) {
    this.capabilities = capabilities;
    this.products = products;
  }

  @Override
  public DType products() {
    return products;
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

  private static final class NullSession extends AccountedSession {
    NullSession(Capabilities capabilities, long limit) {
      super(capabilities, new SessionAccount(limit));
    }

    @Override
    protected void make(String state, TensorType type) {}

    @Override
    public void allocatePaged(String state, TensorType type, int pages) {
      allocatePaged(state, type, pages, () -> {
      });
    }

    @Override
    protected void copyIn(String state, long offset, MemorySegment bytes) {}

    @Override
    protected void copyOut(String state, long offset, MemorySegment target) {
      target.fill((byte) 0);
    }

    @Override
    protected Executable executable(Plan plan, boolean larger) {
      return new PlannedExecutable(plan) {
        @Override
        protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
          return plan.fetches().entrySet().stream()
              .collect(Collectors.toMap(Map.Entry::getKey, entry -> zeros(entry.getValue())));
        }
      };
    }

    private static Tensor zeros(Operand operand) {
      return Tensor.allocate(Arena.ofAuto(), operand.type());
    }

    @Override
    public void close() {}
  }
}
