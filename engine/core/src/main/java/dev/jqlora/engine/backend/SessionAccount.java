package dev.jqlora.engine.backend;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;

/** The books of a {@link Session}, whatever memory it uses: names, types and bytes, and what it must refuse. */
public final class SessionAccount {
  private final long limit;
  private final MemoryRules rules;
  private final Map<String, TensorType> states = new HashMap<>();
  private final PageTable pages;
  /** The states that are not in pages. */
  private final List<TensorType> resident = new ArrayList<>();
  private final List<Plan> plans = new ArrayList<>();
  private long residentBytes;
  private long programBytes;
  /** What the programs need of each pool of pages at once. */
  private Map<DType, Long> leastPools = Map.of();

  /** @param limit the most bytes that states, programs and pages may take together */
  public SessionAccount(long limit) {
    this(limit, MemoryRules.PLAIN);
  }

  /**
   * The books of a session on a device.
   *
   * @param limit the most bytes that states, programs and pages may take together
   */
  public SessionAccount(long limit, MemoryRules rules) {
    this.limit = limit;
    this.rules = rules;
    pages = rules.pageTable();
  }

  /** Enters a new state; see {@link Session#allocate}. */
  public void allocate(String state, TensorType type) {
    checkNew(state);
    List<TensorType> more = new ArrayList<>(resident);
    more.add(type);
    long bytes = rules.residentBytes(more, pages, plans);
    checkLimit(bytes + programBytes + sum(leastPools), "state " + state, bytes - residentBytes);
    states.put(state, type);
    resident.add(type);
    residentBytes = bytes;
  }

  /** Strikes out the state that was entered last, and not in pages: its memory could not be made. */
  void undoAllocate(String state) {
    states.remove(state);
    resident.removeLast();
    residentBytes = rules.residentBytes(resident, pages, plans);
  }

  /** Enters a new state in pages; see {@link Session#allocatePaged}. */
  public void allocatePaged(String state, TensorType type, int pageCount) {
    checkNew(state);
    pages.add(state, type, pageCount);
    try {
      residentBytes = rules.residentBytes(resident, pages, plans);
    } catch (RuntimeException | Error e) {
      pages.remove(state);
      throw e;
    }
    states.put(state, type);
  }

  /** Strikes out a state in pages: there is no room for them. */
  void undoAllocatePaged(String state) {
    states.remove(state);
    pages.remove(state);
    residentBytes = rules.residentBytes(resident, pages, plans);
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
    return sum(pools());
  }

  /** Size of each pool of pages. */
  public Map<DType, Long> pools() {
    return pages.pools(limit - residentBytes - programBytes, leastPools);
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
   * Enters a program: its arena, which programs share, what it keeps for itself, and the pages that it needs at once; returns
   * whether the arena is larger than those before.
   */
  public boolean reserveArena(Plan plan) {
    boolean larger = plan.arenaBytes() > plans.stream().mapToLong(Plan::arenaBytes).max().orElse(0);
    List<Plan> more = new ArrayList<>(plans);
    more.add(plan);
    long bytes = rules.residentBytes(resident, pages, more);
    long own = rules.programBytes(plan, pages);
    Map<DType, Long> least = pages.workingSets(more);
    checkLimit(bytes + programBytes + own + sum(least), "program " + plan.program().name(),
        plan.arenaBytes() + own + pages.workingSetBytes(plan));
    plans.add(plan);
    residentBytes = bytes;
    programBytes += own;
    leastPools = least;
    return larger;
  }

  /** Strikes out the program that was entered last: it could not be made ready to run. */
  void undoReserveArena(Plan plan) {
    plans.removeLast();
    residentBytes = rules.residentBytes(resident, pages, plans);
    programBytes -= rules.programBytes(plan, pages);
    leastPools = pages.workingSets(plans);
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

  /** States, programs and pools of pages. */
  public long usedBytes() {
    return residentBytes + programBytes + poolBytes();
  }

  private static long sum(Map<DType, Long> bytes) {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  private void checkLimit(long total, String what, long bytes) {
    if (total > limit) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          "%s takes %,d bytes, which makes %,d of a limit of %,d: raise the limit of device memory, or compute fewer tokens at a time"
              .formatted(what, bytes, total, limit));
    }
  }
}
