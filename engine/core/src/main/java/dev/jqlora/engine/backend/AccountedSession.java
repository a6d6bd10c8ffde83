package dev.jqlora.engine.backend;

import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What sessions of all backends do alike: keep the books, refuse what is not right, plan. A backend adds the memory and the
 * execution; it is asked only for what the books allow.
 */
public abstract class AccountedSession implements Session {
  private final Capabilities capabilities;
  private final SessionAccount account;
  private @Nullable Profile profile;
  private Profile.@Nullable Run run;

  protected AccountedSession(Capabilities capabilities, SessionAccount account) {
    this.capabilities = capabilities;
    this.account = account;
  }

  protected final SessionAccount account() {
    return account;
  }

  /** The run that goes on, where somebody wants to know of it. */
  protected final Profile.@Nullable Run profiledRun() {
    return run;
  }

  /** Makes the zeroed memory of a state. Where that fails, the books forget the state. */
  protected abstract void make(String state, TensorType type);

  /** Overwrites bytes that are within a state. */
  protected abstract void copyIn(String state, long offset, MemorySegment bytes);

  /** Reads bytes that are within a state. */
  protected abstract void copyOut(String state, long offset, MemorySegment target);

  /**
   * Makes ready to run a plan. Where that fails, the books forget the plan; the programs before it must run as before.
   *
   * @param larger whether the plan's arena is larger than all before it
   */
  protected abstract Executable executable(Plan plan, boolean larger);

  @Override
  public final Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return capabilities.supports(op, inputs, outputs);
  }

  @Override
  public final void allocate(String state, TensorType type) {
    account.allocate(state, type);
    try {
      make(state, type);
    } catch (RuntimeException | Error e) {
      account.undoAllocate(state);
      throw e;
    }
  }

  /**
   * Enters a state in pages and makes room for it, for a backend that pages; see {@link Session#allocatePaged}. Where that
   * fails, the books forget the state.
   *
   * @param makeRoom gives pools the sizes that they now have by the books
   */
  protected final void allocatePaged(String state, TensorType type, int pages, Runnable makeRoom) {
    account.allocatePaged(state, type, pages);
    try {
      makeRoom.run();
    } catch (RuntimeException | Error e) {
      account.undoAllocatePaged(state);
      throw e;
    }
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
    boolean larger = account.reserveArena(plan);
    try {
      return executable(plan, larger);
    } catch (RuntimeException | Error e) {
      account.undoReserveArena(plan);
      throw e;
    }
  }

  @Override
  public final long usedBytes() {
    return account.usedBytes();
  }

  @Override
  public final void profile(@Nullable Profile asked) {
    profile = asked;
  }

  /** A plan that is run with feeds of the right names and types only, and profiled, run by run, where that is asked for. */
  protected abstract class PlannedExecutable implements Executable {
    private final Plan plan;

    protected PlannedExecutable(Plan plan) {
      this.plan = plan;
    }

    /** Runs the plan; see {@link Executable#run}. */
    protected abstract Map<String, Tensor> execute(Map<String, Tensor> feeds);

    /** Begins a run of the plan that need not end before this returns; see {@link Executable#begin}. */
    protected Begun start(Map<String, Tensor> feeds) {
      return Executable.super.begin(feeds);
    }

    /** Tells what a run moved. A backend whose device counts for itself tells that instead, while it runs. */
    protected void moved(Profile.Run ended, Map<String, Tensor> feeds, Map<String, Tensor> fetches,
        PagingCounts paged) {
      ended.moved(bytes(feeds.values()) + paged.bytesIn(), bytes(fetches.values()) + paged.bytesOut());
    }

    @Override
    public final Plan plan() {
      return plan;
    }

    @Override
    public final Map<String, Tensor> run(Map<String, Tensor> feeds) {
      SessionAccount.checkFeeds(plan, feeds);
      return profile == null ? execute(feeds) : profiled(profile, feeds);
    }

    @Override
    public final Begun begin(Map<String, Tensor> feeds) {
      SessionAccount.checkFeeds(plan, feeds);
      return profile == null ? start(feeds) : Executable.super.begin(feeds);
    }

    private Map<String, Tensor> profiled(Profile into, Map<String, Tensor> feeds) {
      PagingCounts before = paging();
      Profile.Run begun = into.begin(plan.program().name());
      run = begun;
      try {
        Map<String, Tensor> fetches = execute(feeds);
        moved(begun, feeds, fetches, paging().since(before));
        begun.end();
        return fetches;
      } finally {
        run = null;
      }
    }
  }

  private static long bytes(Collection<Tensor> tensors) {
    return tensors.stream().mapToLong(tensor -> tensor.type().bytes()).sum();
  }
}
