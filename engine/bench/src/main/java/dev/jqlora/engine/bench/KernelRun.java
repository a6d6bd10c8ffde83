package dev.jqlora.engine.bench;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Cost;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseCatalogue;
import dev.jqlora.engine.testkit.CaseList;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** One op on one shape, run once so that it is compiled, with its operands in states: nothing is left to do but to run it. */
final class KernelRun implements AutoCloseable {
  private final Backend backend;
  private final Session session;
  private final Executable executable;
  private final Cost cost;
  private final double compileSeconds;

  KernelRun(Backend backend, CaseList.Case shape) {
    this.backend = backend;
    session = backend.open(Long.MAX_VALUE);
    Program.Builder program = new Program.Builder(shape.name());
    List<Value> arguments = new ArrayList<>();
    List<Tensor> inputs = shape.make();
    for (int i = 0; i < inputs.size(); i++) {
      String name = "input " + i;
      session.allocate(name, inputs.get(i).type());
      session.write(name, 0, inputs.get(i).data());
      arguments.add(program.state(name, inputs.get(i).type()));
    }
    List<TensorType> types = shape.op().infer(shape.types());
    List<Value> values = program.graph().applyAll(shape.op(), arguments);
    for (int i = 0; i < types.size(); i++) {
      String name = "output " + i;
      session.allocate(name, types.get(i));
      program.write(name, values.get(i));
    }
    executable = session.compile(program.build());
    Profile profile = new Profile();
    session.profile(profile);
    run();
    session.profile(null);
    compileSeconds = profile.programs().values().stream()
        .mapToLong(runs -> runs.compilerNanoseconds() + runs.driverNanoseconds()).sum() * 1e-9;
    cost = shape.op().cost(shape.types(), types);
  }

  /** The shapes of real models by name, such as {@code RmsNorm: Llama-3-8B input_layernorm}. */
  static SortedMap<String, CaseList.Case> shapes() {
    SortedMap<String, CaseList.Case> shapes = new TreeMap<>();
    CaseCatalogue.all()
        .forEach((op, list) -> list.modelShapes().forEach(shape -> shapes.put(op + ": " + shape.name(), shape)));
    return shapes;
  }

  void run() {
    executable.run(Map.of());
  }

  /** The work of one run. */
  Cost cost() {
    return cost;
  }

  /** What the backend took to compile the kernel when it first ran; 0 of one whose kernels are there compiled. */
  double compileSeconds() {
    return compileSeconds;
  }

  @Override
  public void close() {
    session.close();
    backend.close();
  }
}
