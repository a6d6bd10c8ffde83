package dev.jqlora.engine.tornado;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.graph.Program;
import dev.jqlora.engine.graph.Value;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Casts of what is no finite number, and of zeros. */
class CastTest {
  private static final float[] VALUES = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0, -0.0f, 1.5f,
      -2, Float.MAX_VALUE, -Float.MAX_VALUE};

  private static String named(DType from, DType to) {
    return from + " to " + to;
  }

  private static short[] bits(Tensor halves) {
    return halves.data().toArray(ValueLayout.JAVA_SHORT);
  }

  @Test
  void infinitiesZerosAndNanStayWhatTheyAre() {
    TensorType type = TensorType.f32(VALUES.length);
    Program.Builder program = new Program.Builder("casts");
    Value x = program.feed("x", type);
    List<DType> halves = List.of(DType.BF16, DType.F16);
    for (DType half : halves) {
      Value there = program.graph().apply(new Cast(half), x);
      program.fetch(named(DType.F32, half), there);
      program.fetch(named(half, DType.F32), program.graph().apply(new Cast(DType.F32), there));
      for (DType other : halves) {
        if (other != half) {
          program.fetch(named(half, other), program.graph().apply(new Cast(other), there));
        }
      }
    }
    try (TornadoBackend backend = new TornadoBackend(); Session session = backend.open(Long.MAX_VALUE)) {
      Map<String, Tensor> casts = session.compile(program.build()).run(Map.of("x", Tensor.of(type, VALUES)));
      for (DType half : halves) {
        Tensor expected = rounded(Tensor.of(type, VALUES), half);
        Tensor there = Objects.requireNonNull(casts.get(named(DType.F32, half)));
        assertArrayEquals(bits(expected), bits(there), half + " of F32");
        // Equal to the bit, but for NaN's.
        assertArrayEquals(expected.toFloats(), Objects.requireNonNull(casts.get(named(half, DType.F32))).toFloats(),
            "F32 of " + half);
        DType other = half == DType.BF16 ? DType.F16 : DType.BF16;
        assertArrayEquals(bits(rounded(expected, other)), bits(Objects.requireNonNull(casts.get(named(half, other)))),
            other + " of " + half);
      }
    }
  }

  /** By Java's own rules. */
  private static Tensor rounded(Tensor values, DType dtype) {
    Tensor rounded = Tensor.allocate(Arena.ofAuto(), new TensorType(dtype, values.type().shape()));
    for (int i = 0; i < VALUES.length; i++) {
      rounded.set(i, values.get(i));
    }
    return rounded;
  }
}
