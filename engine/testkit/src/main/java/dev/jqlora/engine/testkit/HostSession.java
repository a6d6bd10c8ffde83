package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Capabilities;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.TensorType;
import java.util.HashMap;
import java.util.Map;

/** What a session keeps account of, whatever it computes with: types, bytes and the limit. */
abstract class HostSession implements Session {
  private final Capabilities capabilities;
  private final long limit;
  private final Map<String, TensorType> types = new HashMap<>();
  private long stateBytes;
  private long arenaBytes;

  HostSession(Capabilities capabilities, long limit) {
    this.capabilities = capabilities;
    this.limit = limit;
  }

  @Override
  public void allocate(String state, TensorType type) {
    if (types.containsKey(state)) {
      throw new IllegalArgumentException("state " + state + " is already there");
    }
    checkLimit(stateBytes + type.bytes() + arenaBytes, "state " + state);
    types.put(state, type);
    stateBytes += type.bytes();
  }

  @Override
  public TensorType type(String state) {
    TensorType type = types.get(state);
    if (type == null) {
      throw new IllegalArgumentException("no state is named " + state);
    }
    return type;
  }

  @Override
  public Executable compile(Program program) {
    for (int i = 0; i < program.inputs().size(); i++) {
      check(program.inputs().get(i), program.graph().inputs().get(i).type());
    }
    for (int i = 0; i < program.outputs().size(); i++) {
      check(program.outputs().get(i), program.graph().outputs().get(i).type());
    }
    Plan plan = Planner.plan(program, capabilities);
    checkLimit(stateBytes + Math.max(arenaBytes, plan.arenaBytes()), "program " + program.name());
    arenaBytes = Math.max(arenaBytes, plan.arenaBytes());
    return executable(plan);
  }

  abstract Executable executable(Plan plan);

  private void check(Program.Binding binding, TensorType type) {
    if (binding instanceof Program.State(String name) && !type(name).equals(type)) {
      throw new IllegalArgumentException(
          "state " + name + " is " + type(name) + " but the program declares it as " + type);
    }
  }

  private void checkLimit(long total, String what) {
    if (total > limit) {
      throw new JqloraException(JqloraException.Kind.MEMORY,
          "%s would take memory to %,d bytes of %,d: give more, or shorten the sequences".formatted(what, total,
              limit));
    }
  }

  @Override
  public long usedBytes() {
    return stateBytes + arenaBytes;
  }
}
