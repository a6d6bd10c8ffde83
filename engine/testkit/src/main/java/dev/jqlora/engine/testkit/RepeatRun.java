package dev.jqlora.engine.testkit;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.graph.GraphBuilder;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.op.Multiply;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.reference.Interpreter;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Map;

/**
 * A Repeat with all that one may have: {@code next = carried / 2 + slice + index} is handed on, {@code next · shared} is
 * stacked. Its numbers are exact in float32. What is handed on comes from a state and ends there, so that each run goes on
 * from the one before it; what is shared is fed and differs between runs.
 */
final class RepeatRun {
  private static final int COUNT = 3;
  /** More than one, as a backend may keep what it did in the first. */
  private static final int RUNS = 3;
  private static final int WIDTH = 37;
  private static final TensorType TYPE = TensorType.f32(WIDTH);
  private static final TensorType STACKED = TensorType.f32(COUNT, WIDTH);
  private static final Tolerance EXACT = Tolerance.exact("sums and products of small whole numbers");

  private final Session session;
  private final boolean reverse;

  /** @param session a fresh one, which the run fills with states */
  RepeatRun(Session session, boolean reverse) {
    this.session = session;
    this.reverse = reverse;
  }

  private Repeat repeat() {
    GraphBuilder body = new GraphBuilder();
    Value index = body.input("index", TensorType.i32());
    Value carried = body.input("carried", TYPE);
    Value slice = body.input("slice", TYPE);
    Value shared = body.input("shared", TYPE);
    Value sum = body.apply(new Add(), body.apply(new Scale(0.5f), carried), slice);
    Value next = body.apply(new Add(), sum, body.apply(new Cast(DType.F32), index));
    return new Repeat(COUNT, body.build(List.of(next, body.apply(new Multiply(), next, shared))), 1, 1, reverse,
        SavePolicy.NOTHING);
  }

  private Program program() {
    Program.Builder program = new Program.Builder("repeat");
    List<Value> results = program.graph().applyAll(repeat(), List.of(program.state("carried", TYPE),
        program.state("stacked", STACKED), program.feed("shared", TYPE)));
    return program.write("carried", results.get(0)).fetch("stacked", results.get(1)).build();
  }

  private static Tensor whole(Samples samples, int... dims) {
    return Input.whole(0, 15, dims).make(samples);
  }

  /** Throws AssertionError unless each run gives what the interpreter does. */
  void check() {
    Samples samples = new Samples(1);
    Tensor stacked = whole(samples, COUNT, WIDTH);
    Tensor first = whole(samples, WIDTH);
    Array64 carried = Array64.of(first);
    session.allocate("carried", TYPE);
    session.allocate("stacked", STACKED);
    session.write("stacked", 0, stacked.data());
    session.write("carried", 0, first.data());
    Program program = program();
    Executable executable = session.compile(program);
    for (int run = 1; run <= RUNS; run++) {
      Tensor shared = whole(samples, WIDTH);
      List<Array64> expected = new Interpreter().run(program.graph(),
          List.of(carried, Array64.of(stacked), Array64.of(shared)));
      Tensor fetched = executable.run(Map.of("shared", shared)).get("stacked");
      if (fetched == null) {
        throw new AssertionError("the run did not return what was stacked");
      }
      EXACT.check("what run " + run + " stacked", expected.get(1), Array64.of(fetched));
      Tensor last = Tensor.allocate(Arena.ofAuto(), TYPE);
      session.read("carried", 0, last.data());
      EXACT.check("what run " + run + " handed on last", expected.get(0), Array64.of(last));
      carried = expected.get(0);
    }
  }
}
