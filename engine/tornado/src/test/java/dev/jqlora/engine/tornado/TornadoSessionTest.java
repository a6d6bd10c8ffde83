package dev.jqlora.engine.tornado;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Repeat;
import dev.jqlora.engine.graph.SavePolicy;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** What a session does between its programs' kernels. */
class TornadoSessionTest {
  private static final TornadoBackend BACKEND = new TornadoBackend();

  @AfterAll
  static void close() {
    BACKEND.close();
  }

  private static TornadoSession open() {
    return (TornadoSession) BACKEND.open(Long.MAX_VALUE);
  }

  /** {@code state ← state + x} for a state of n numbers, the new state fetched. */
  private static Program sum(String state, int n) {
    TensorType type = TensorType.f32(n);
    Program.Builder program = new Program.Builder("sum of " + state);
    Value sum = program.graph().apply(new Add(), program.state(state, type), program.feed("x", type));
    return program.write(state, sum).fetch("sum", sum).build();
  }

  private static Map<String, Tensor> x(float... values) {
    return Map.of("x", Tensor.of(TensorType.f32(values.length), values));
  }

  private static float[] run(Executable executable, float... values) {
    return Objects.requireNonNull(executable.run(x(values)).get("sum")).toFloats();
  }

  private static float[] read(TornadoSession session, String state) {
    Tensor content = Tensor.of(session.type(state), new float[(int) session.type(state).elements()]);
    session.read(state, 0, content.data());
    return content.toFloats();
  }

  @Test
  void statesStayWhatTheyAreWhileProgramsAndStatesAreAdded() {
    try (TornadoSession session = open()) {
      session.allocate("a", TensorType.f32(3));
      session.write("a", 4, Tensor.of(TensorType.f32(1), 10f).data());
      Executable first = session.compile(sum("a", 3));
      assertArrayEquals(new float[]{1, 12, 3}, run(first, 1, 2, 3));

      // Joins the plan: its states and its arena are there.
      Executable second = session.compile(sum("a", 3));
      assertArrayEquals(new float[]{2, 13, 4}, run(second, 1, 1, 1));
      assertArrayEquals(new float[]{3, 14, 5}, run(first, 1, 1, 1));

      // Needs a new plan.
      session.allocate("b", TensorType.f32(1000));
      Executable third = session.compile(sum("b", 1000));
      run(third, new float[1000]);
      assertArrayEquals(new float[]{3, 14, 5}, read(session, "a"));

      session.write("a", 8, Tensor.of(TensorType.f32(1), 100f).data());
      assertArrayEquals(new float[]{4, 15, 101}, run(second, 1, 1, 1));
      assertArrayEquals(new float[]{4, 15, 101}, read(session, "a"));
    }
  }

  /** {@code x ← 2x + w[i]} for each layer's slice, and {@code w[i] ← x} of that layer. */
  private static Program layers(int count) {
    Program.Builder program = new Program.Builder("layers");
    Value w = program.state("w", TensorType.f32(count, 5));
    List<Value> outputs = Repeat.apply(program.graph(), count, SavePolicy.NOTHING,
        List.of(program.feed("x", TensorType.f32(5))), List.of(w), List.of(),
        (builder, _, carried, slices, _) -> {
          Value next = builder.apply(new Add(), builder.apply(new Scale(2), carried.getFirst()), slices.getFirst());
          return new Repeat.Result(List.of(next), List.of(next));
        });
    return program.write("w", outputs.get(1)).fetch("sum", outputs.getFirst()).build();
  }

  /** Runs the layers twice against Java's own numbers; returns how many kernels the session has. */
  private static int kernels(int count) {
    try (TornadoSession session = open()) {
      session.allocate("w", TensorType.f32(count, 5));
      Executable executable = session.compile(layers(count));
      float[] weights = new float[count * 5];
      for (int run = 0; run < 2; run++) {
        float[] x = {1, 2, 3, 4, 5};
        for (int i = 0; i < weights.length; i++) {
          x[i % 5] = 2 * x[i % 5] + weights[i];
          weights[i] = x[i % 5];
        }
        assertArrayEquals(x, run(executable, 1, 2, 3, 4, 5));
        assertArrayEquals(weights, read(session, "w"));
      }
      return session.kernels();
    }
  }

  @Test
  void kernelsDoNotGrowWithLayers() {
    assertEquals(kernels(2), kernels(32));
  }

  /** The books, which are kept before anything is there, against the arrays that there come to be. */
  @Test
  void theBooksCountWhatIsOnTheDevice() {
    try (TornadoSession session = open()) {
      session.allocate("w", TensorType.f32(3, 5));
      session.allocate("codes", TensorType.u8(1001));
      session.allocatePaged("moment", TensorType.f32(3, 70), 3);
      session.allocate("v", TensorType.f32(15));
      session.compile(sum("v", 15));
      Executable executable = session.compile(layers(3));
      executable.run(x(1, 2, 3, 4, 5));
      assertEquals(session.heldBytes(), session.usedBytes());
    }
  }

  /** What no array of the device can hold is refused before anything is allocated. */
  @Test
  void whatIsLargerThanAnAllocationIsRefused() {
    try (TornadoSession session = (TornadoSession) new TornadoBackend(1 << 20).open(Long.MAX_VALUE)) {
      JqloraException state = assertThrows(JqloraException.class,
          () -> session.allocate("table", TensorType.f32(300_000)));
      assertEquals(JqloraException.Kind.MEMORY, state.kind());
      assertEquals(
          "F32 memory takes 1,200,080 bytes in one array (states 1,200,000, pages 0, arena 64), but this device"
              + " allocates 1,048,576 at most at a time: quantize the model (quantization_bit: 4), lower lora_rank, or take a"
              + " smaller model, or choose another device",
          state.getMessage());
      session.allocate("w", TensorType.f32(150_000));
      JqloraException program = assertThrows(JqloraException.class, () -> session.compile(sum("w", 150_000)));
      assertTrue(
          String.valueOf(program.getMessage())
              .endsWith(": lower cutoff_len or the batch size, or choose another device"),
          program.getMessage());
    }
  }

  @Test
  void onlyFeedsAndFetchesMove() {
    try (TornadoSession session = open()) {
      session.allocate("w", TensorType.f32(3, 5));
      session.allocate("large", TensorType.f32(100_000));
      Executable executable = session.compile(layers(3));
      executable.run(x(1, 2, 3, 4, 5));
      Profile.Runs second = profiled(session, executable);
      // 5 numbers each way in an array with a header of 16 bytes; TornadoVM itself sends 24 bytes with each kernel.
      assertEquals(5 * 4 + 16, second.bytesOut());
      assertEquals(5 * 4 + 16 + 24 * second.kernels(), second.bytesIn());
    }
  }

  private static Profile.Runs profiled(TornadoSession session, Executable executable) {
    Profile profile = new Profile();
    session.profile(profile);
    executable.run(x(1, 2, 3, 4, 5));
    return Objects.requireNonNull(profile.programs().get("layers"));
  }

  @Test
  void aProfileTellsCompilingFromTheTimeOfARun() {
    try (TornadoSession session = open()) {
      session.allocate("w", TensorType.f32(3, 5));
      Executable executable = session.compile(layers(3));
      Profile.Runs first = profiled(session, executable);
      assertTrue(first.compilerNanoseconds() > 0 && first.driverNanoseconds() > 0, first.toString());
      assertTrue(first.nanoseconds() > 0, first.toString());
      Profile.Runs second = profiled(session, executable);
      assertEquals(0, second.compilerNanoseconds() + second.driverNanoseconds(), second.toString());
      assertTrue(second.kernelNanoseconds() > 0 && second.kernelNanoseconds() < second.nanoseconds(), second
          .toString());
      assertEquals(first.kernels(), second.kernels());
    }
  }
}
