package dev.jqlora.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Graph;
import dev.jqlora.engine.graph.Node;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.FloatReader;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A program of the engine, compiled and with all its operands in states: nothing is left to do but to run it. */
final class ProgramRun implements Contender, Peer.Inputs {
  private final Session session;
  private final Executable executable;
  private final Map<String, Tensor> feeds;
  private final List<String> results;

  /** Allocates the program's states and fills those that it reads. */
  ProgramRun(Backend backend, Program program, RandomStates content, Map<String, Tensor> feeds, List<String> results) {
    this.feeds = feeds;
    this.results = results;
    session = backend.open(Long.MAX_VALUE);
    try {
      Map<String, TensorType> states = new LinkedHashMap<>();
      enter(states, program.inputs(), program.graph().inputs());
      states.forEach(session::allocate);
      states.forEach((name, type) -> content.fill(session, name, type));
      Map<String, TensorType> written = new LinkedHashMap<>();
      enter(written, program.outputs(), program.graph().outputs());
      written.keySet().removeAll(states.keySet());
      written.forEach(session::allocate);
      executable = session.compile(program);
    } catch (RuntimeException | Error e) {
      session.close();
      throw e;
    }
  }

  private static void enter(Map<String, TensorType> states, List<Program.Binding> bindings, List<Value> values) {
    for (int i = 0; i < bindings.size(); i++) {
      if (bindings.get(i) instanceof Program.State(String name)) {
        states.put(name, values.get(i).type());
      }
    }
  }

  /** What is run: the program's ops as the backend has kernels for them, adapters fused where it fuses them. */
  Graph graph() {
    return executable.plan().program().graph();
  }

  /** The work of a run, as its ops count it. */
  Cost cost() {
    Cost total = new Cost(0, 0);
    for (Node node : graph().nodes()) {
      total = total.plus(node.op().cost(node.inputTypes(), node.outputTypes()));
    }
    return total;
  }

  Session session() {
    return session;
  }

  Executable executable() {
    return executable;
  }

  @Override
  public void run() {
    executable.run(feeds);
  }

  @Override
  public Map<String, Tensor> results() {
    Map<String, Tensor> read = new LinkedHashMap<>();
    for (String name : results) {
      Tensor result = Tensor.allocate(Arena.ofAuto(), session.type(name));
      session.read(name, 0, result.data());
      read.put(name, result);
    }
    return read;
  }

  /** A state or a feed; numbers of 16 bits as F32. */
  @Override
  public Tensor get(String name, Arena arena) {
    Tensor feed = feeds.get(name);
    if (feed != null) {
      return feed;
    }
    Tensor stored = Tensor.allocate(arena, session.type(name));
    session.read(name, 0, stored.data());
    return stored.type().dtype() == DType.BF16 ? widened(stored, arena) : stored;
  }

  private static Tensor widened(Tensor stored, Arena arena) {
    Tensor wide = Tensor.allocate(arena, new TensorType(DType.F32, stored.type().shape()));
    float[] chunk = new float[1 << 16];
    for (long done = 0; done < stored.type().elements(); done += chunk.length) {
      int count = (int) Math.min(chunk.length, stored.type().elements() - done);
      FloatReader.read(stored, done, chunk, 0, count);
      MemorySegment.copy(MemorySegment.ofArray(chunk), 0, wide.data(), done * Float.BYTES,
          (long) count * Float.BYTES);
    }
    return wide;
  }

  @Override
  public void close() {
    session.close();
  }
}
