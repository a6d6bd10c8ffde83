package dev.jqlora.engine.backend;

import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.Objects;

/**
 * What sessions of all backends do alike: keep the books, refuse what is not right, plan. A backend adds the memory and the
 * execution; it is asked only for what the books allow.
 */
public abstract class AccountedSession implements Session {
  private final Capabilities capabilities;
  private final SessionAccount account;

  protected AccountedSession(Capabilities capabilities, SessionAccount account) {
    this.capabilities = capabilities;
    this.account = account;
  }

  protected final SessionAccount account() {
    return account;
  }

  /** Makes the zeroed memory of a state. */
  protected abstract void make(String state, TensorType type);

  /** Overwrites bytes that are within a state. */
  protected abstract void copyIn(String state, long offset, MemorySegment bytes);

  /** Reads bytes that are within a state. */
  protected abstract void copyOut(String state, long offset, MemorySegment target);

  /**
   * Makes ready to run a plan.
   *
   * @param larger whether the plan's arena is larger than all before it
   */
  protected abstract Executable executable(Plan plan, boolean larger);

  @Override
  public final void allocate(String state, TensorType type) {
    account.allocate(state, type);
    make(state, type);
  }

  @Override
  public final TensorType type(String state) {
    return account.type(state);
  }

  @Override
  public final void write(String state, long offset, MemorySegment bytes) {
    Objects.checkFromIndexSize(offset, bytes.byteSize(), type(state).bytes());
    copyIn(state, offset, bytes);
  }

  @Override
  public final void read(String state, long offset, MemorySegment target) {
    Objects.checkFromIndexSize(offset, target.byteSize(), type(state).bytes());
    copyOut(state, offset, target);
  }

  @Override
  public final Executable compile(Program program) {
    account.checkStates(program);
    Plan plan = Planner.plan(program, capabilities);
    return executable(plan, account.reserveArena(plan));
  }

  @Override
  public final long usedBytes() {
    return account.usedBytes();
  }

  /** A plan that is run with feeds of the right names and types only. */
  protected abstract static class PlannedExecutable implements Executable {
    private final Plan plan;

    protected PlannedExecutable(Plan plan) {
      this.plan = plan;
    }

    /** Runs the plan; see {@link Executable#run}. */
    protected abstract Map<String, Tensor> execute(Map<String, Tensor> feeds);

    @Override
    public final Plan plan() {
      return plan;
    }

    @Override
    public final Map<String, Tensor> run(Map<String, Tensor> feeds) {
      SessionAccount.checkFeeds(plan, feeds);
      return execute(feeds);
    }
  }
}
