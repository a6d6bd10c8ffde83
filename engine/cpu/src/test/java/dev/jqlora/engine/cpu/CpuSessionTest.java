package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Fill;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.op.SumOfSquares;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class CpuSessionTest {
  private static final TensorType TYPE = TensorType.f32(3);

  /** {@code Σ (2x)²} of a filled or fed x. */
  private static Program norm(TensorType type, boolean fed) {
    Program.Builder program = new Program.Builder("norm");
    Value x = fed ? program.feed("x", type) : program.graph().apply(new Fill(type, 1));
    return program.fetch("norm", program.graph().apply(new SumOfSquares(), program.graph().apply(new Scale(2), x)))
        .build();
  }

  private static float run(Executable executable) {
    Tensor norm = executable.run(Map.of("x", Tensor.of(TYPE, 1f, 2f, 3f))).get("norm");
    return FloatMemory.get(Objects.requireNonNull(norm).data(), 0);
  }

  @Test
  void aProgramThatMemoryCannotHoldLeavesTheOthersTheirs() {
    try (CpuBackend backend = new CpuBackend(1); Session session = backend.open(Long.MAX_VALUE)) {
      // 2⁵⁶ bytes: more than a processor can address.
      Program vast = norm(TensorType.f32(1 << 27, 1 << 27), false);
      assertThrows(OutOfMemoryError.class, () -> session.compile(vast));
      assertEquals(0, session.usedBytes());
      Executable small = session.compile(norm(TYPE, true));
      long used = session.usedBytes();
      assertEquals(56, run(small));
      assertThrows(OutOfMemoryError.class, () -> session.compile(vast));
      assertEquals(used, session.usedBytes());
      assertEquals(used, session.peakBytes());
      assertEquals(56, run(small));
      session.compile(norm(TensorType.f32(1000), false));
      assertEquals(56, run(small));
    }
  }
}
