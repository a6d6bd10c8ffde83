package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Add;
import dev.jqlora.engine.op.Scale;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class CpuProfileTest {
  private static final TensorType TYPE = TensorType.f32(3, 16);

  /** {@code moment ← moment + 2x}, where x is fed and 2x fetched. */
  private static Program program() {
    Program.Builder program = new Program.Builder("update");
    Value doubled = program.graph().apply(new Scale(2), program.feed("x", TYPE));
    Value next = program.graph().apply(new Add(), program.state("moment", TYPE), doubled);
    return program.write("moment", next).fetch("doubled", doubled).build();
  }

  @Test
  void aProfileCountsRunsBytesAndKernels() {
    try (CpuBackend backend = new CpuBackend(1); Session session = backend.open(Long.MAX_VALUE)) {
      session.allocate("moment", TYPE);
      Executable executable = session.compile(program());
      Map<String, Tensor> feeds = Map.of("x", Tensor.of(TYPE, new float[48]));
      executable.run(feeds);
      Profile profile = new Profile();
      session.profile(profile);
      executable.run(feeds);
      executable.run(feeds);
      assertEquals(List.of("update"), List.copyOf(profile.programs().keySet()));
      Profile.Runs runs = Objects.requireNonNull(profile.programs().get("update"));
      assertEquals(2, runs.count());
      assertEquals(2 * TYPE.bytes(), runs.bytesIn());
      assertEquals(2 * TYPE.bytes(), runs.bytesOut());
      assertEquals(4, runs.kernels());
      assertTrue(runs.kernelNanoseconds() > 0 && runs.kernelNanoseconds() < runs.nanoseconds(), runs.toString());
      assertEquals(List.of("Scale", "Add"), List.copyOf(profile.ops().keySet()));
      assertEquals(2, Objects.requireNonNull(profile.ops().get("Add")).count());
      assertEquals(runs.kernelNanoseconds(),
          profile.ops().values().stream().mapToLong(Profile.Kernels::nanoseconds).sum());
    }
  }
}
