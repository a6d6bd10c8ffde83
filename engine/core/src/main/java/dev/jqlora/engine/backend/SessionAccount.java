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
  private final long limit;
  private final Map<String, TensorType> states = new HashMap<>();
  private long stateBytes;
  private long arenaBytes;

  /** @param limit the most bytes that states and arena may take together */
  public SessionAccount(long limit) {
    this.limit = limit;
  }

  /** Enters a new state; see {@link Session#allocate}. */
  public void allocate(String state, TensorType type) {
    if (states.containsKey(state)) {
      throw new IllegalArgumentException("state " + state + " is already there");
    }
    checkLimit(stateBytes + arenaBytes + type.bytes(), "state " + state, type.bytes());
    states.put(state, type);
    stateBytes += type.bytes();
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

  /** Enters the arena of a plan, which programs share; returns whether it is larger than those before. */
  public boolean reserveArena(Plan plan) {
    if (plan.arenaBytes() <= arenaBytes) {
      return false;
    }
    checkLimit(stateBytes + plan.arenaBytes(), "program " + plan.program().name(), plan.arenaBytes());
    arenaBytes = plan.arenaBytes();
    return true;
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

  /** States and arena. */
  public long usedBytes() {
    return stateBytes + arenaBytes;
  }

  private void checkLimit(long total, String what, long bytes) {
    if (total > limit) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          "%s takes %,d bytes, which makes %,d of a limit of %,d: raise device_memory, or lower cutoff_len or the batch size"
              .formatted(what, bytes, total, limit));
    }
  }
}
