package dev.jqlora.engine.reference;

import dev.jqlora.engine.backend.AccountedSession;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.backend.SessionAccount;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.Op;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Support;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * The interpreter behind the backend contract: every op, in float64, rounded to the element type in states and in what
 * is fetched; within a program only where an op says so.
 */
public final class ReferenceBackend implements Backend {
  @Override
  public String name() {
    return "reference";
  }

  @Override
  public String device() {
    return "float64 interpreter";
  }

  @Override
  public Support supports(Op op, List<TensorType> inputs, List<TensorType> outputs) {
    return Support.NATIVE;
  }

  @Override
  public Session open(long memoryLimitBytes) {
    return new ReferenceSession(memoryLimitBytes);
  }

  @Override
  public void close() {}

  private final class ReferenceSession extends AccountedSession {
    private final Arena arena = Arena.ofShared();
    private final Map<String, Tensor> states = new HashMap<>();

    ReferenceSession(long limit) {
      super(ReferenceBackend.this, new SessionAccount(limit));
    }

    @Override
    protected void make(String state, TensorType type) {
      states.put(state, Tensor.allocate(arena, type));
    }

    private Tensor tensor(String state) {
      return Objects.requireNonNull(states.get(state), state);
    }

    @Override
    protected void copyIn(String state, long offset, MemorySegment bytes) {
      MemorySegment.copy(bytes, 0, tensor(state).data(), offset, bytes.byteSize());
    }

    @Override
    protected void copyOut(String state, long offset, MemorySegment target) {
      MemorySegment.copy(tensor(state).data(), offset, target, 0, target.byteSize());
    }

    @Override
    protected Executable executable(Plan plan, boolean larger) {
      return new PlannedExecutable(plan) {
        @Override
        protected Map<String, Tensor> execute(Map<String, Tensor> feeds) {
          return interpret(plan.program(), feeds);
        }
      };
    }

    private Map<String, Tensor> interpret(Program program, Map<String, Tensor> feeds) {
      List<Array64> inputs = new ArrayList<>();
      for (Program.Binding binding : program.inputs()) {
        inputs.add(Array64.of(switch (binding) {
          case Program.State(String name) -> tensor(name);
          case Program.Transfer(String name) -> Objects.requireNonNull(feeds.get(name), name);
        }));
      }
      List<Array64> outputs = new Interpreter().run(program.graph(), inputs);
      Map<String, Tensor> fetches = new LinkedHashMap<>();
      for (int i = 0; i < outputs.size(); i++) {
        switch (program.outputs().get(i)) {
          case Program.State(String name) -> outputs.get(i).copyTo(tensor(name));
          case Program.Transfer(String name) -> {
            Tensor fetched = Tensor.allocate(Arena.ofAuto(), outputs.get(i).type());
            outputs.get(i).copyTo(fetched);
            fetches.put(name, fetched);
          }
        }
      }
      return fetches;
    }

    @Override
    public void close() {
      arena.close();
    }
  }
}
