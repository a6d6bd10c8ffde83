package dev.jqlora.engine.backend;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/** The books of a {@link Session}, whatever memory it uses: names, types and bytes, and what it must refuse. */
public final class SessionAccount {
  /** Where states, arena and pages begin in device memory, in bytes: a cache line and the widest vector. */
  public static final long ALIGNMENT = 64;

  private final long limit;
  private final Map<String, TensorType> states = new HashMap<>();
  private final PageTable pages = new PageTable();
  private long stateBytes;
  private long arenaBytes;
  private long workingSetBytes;

  /** @param limit the most bytes that states, arena and pages may take together */
  public SessionAccount(long limit) {
    this.limit = limit;
  }

  /** Device memory that a state takes which is not in pages: its bytes, rounded up to the alignment of states. */
  public static long deviceBytes(TensorType type) {
    return (type.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Enters a new state; see {@link Session#allocate}. */
  public void allocate(String state, TensorType type) {
    checkNew(state);
    checkLimit(stateBytes + arenaBytes + workingSetBytes + deviceBytes(type), "state " + state, deviceBytes(type));
    states.put(state, type);
    stateBytes += deviceBytes(type);
  }

  /** Enters a new state in pages; see {@link Session#allocatePaged}. */
  public void allocatePaged(String state, TensorType type, int pageCount) {
    checkNew(state);
    pages.add(state, type, pageCount);
    states.put(state, type);
  }

  private void checkNew(String state) {
    if (states.containsKey(state)) {
      throw new IllegalArgumentException("state " + state + " is already there");
    }
  }

  /** The states in pages. */
  public PageTable pages() {
    return pages;
  }

  /** Size of the device memory that pages lie in: what the limit leaves, but no more than all of them take. */
  public long poolBytes() {
    return pages.poolBytes(limit - stateBytes - arenaBytes);
  }

  /** The type of a state; throws IllegalArgumentException where there is none of that name. */
  public TensorType type(String state) {
    TensorType type = states.get(state);
    if (type == null) {
      throw new IllegalArgumentException("no state is named " + state);
    }
    return type;
  }

  /** Throws IllegalArgumentException unless all states of a program are there and of the right type. */
  public void checkStates(Program program) {
    for (int i = 0; i < program.inputs().size(); i++) {
      checkState(program, program.inputs().get(i), program.graph().inputs().get(i).type());
    }
    for (int i = 0; i < program.outputs().size(); i++) {
      checkState(program, program.outputs().get(i), program.graph().outputs().get(i).type());
    }
  }

  private void checkState(Program program, Program.Binding binding, TensorType type) {
    if (binding instanceof Program.State(String name) && !type(name).equals(type)) {
      throw new IllegalArgumentException(
          "%s: state %s is %s, the program has it as %s".formatted(program.name(), name, type(name), type));
    }
  }

  /**
   * Enters the arena of a plan, which programs share, and the pages that it needs at once; returns whether the arena is
   * larger than those before.
   */
  public boolean reserveArena(Plan plan) {
    boolean larger = plan.arenaBytes() > arenaBytes;
    long arena = Math.max(arenaBytes, plan.arenaBytes());
    long pool = Math.max(workingSetBytes, pages.workingSetBytes(plan));
    checkLimit(stateBytes + arena + pool, "program " + plan.program().name(),
        plan.arenaBytes() + pages.workingSetBytes(plan));
    arenaBytes = arena;
    workingSetBytes = pool;
    return larger;
  }

  /** Throws IllegalArgumentException unless a run was given what the plan asks for. */
  public static void checkFeeds(Plan plan, Map<String, Tensor> feeds) {
    if (!feeds.keySet().equals(plan.feeds().keySet())) {
      throw new IllegalArgumentException("%s takes the feeds %s, got %s".formatted(plan.program().name(),
          new TreeSet<>(plan.feeds().keySet()), new TreeSet<>(feeds.keySet())));
    }
    feeds.forEach((name, feed) -> {
      TensorType type = Objects.requireNonNull(plan.feeds().get(name)).type();
      if (!feed.type().equals(type)) {
        throw new IllegalArgumentException(
            "%s: feed %s is %s, got %s".formatted(plan.program().name(), name, type, feed.type()));
      }
    });
  }

  /** States, arena and pool of pages. */
  public long usedBytes() {
    return stateBytes + arenaBytes + poolBytes();
  }

  private void checkLimit(long total, String what, long bytes) {
    if (total > limit) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          "%s takes %,d bytes, which makes %,d of a limit of %,d: raise device_memory, or lower cutoff_len or the batch size"
              .formatted(what, bytes, total, limit));
    }
  }
}
