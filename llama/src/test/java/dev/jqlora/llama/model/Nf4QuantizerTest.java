package dev.jqlora.llama.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.plan.Planner;
import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.Samples;
import dev.jqlora.engine.testkit.TestBackends;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Quantizing in a session, against the codec. */
class Nf4QuantizerTest {
  private static final Arena ARENA = Arena.ofAuto();

  private static WeightFormat.Nf4 format(boolean nested, DType source) {
    return new WeightFormat.Nf4(Nf4.DEFAULT_BLOCK_SIZE, nested, Optional.of(source));
  }

  private static Tensor matrix(DType dtype, int... dims) {
    return new Samples(7).uniform(new TensorType(dtype, Shape.of(dims)), -0.05, 0.05);
  }

  private static void assertCodecsBytes(Tensor matrix, boolean nested, Nf4Tensor actual) {
    Nf4Tensor plain = Nf4.quantize(matrix, Nf4.DEFAULT_BLOCK_SIZE, ARENA).weight();
    assertEquals(plain.shape(), actual.shape());
    assertEquals(-1, plain.codes().mismatch(actual.codes()), "first differing byte of the codes");
    if (!nested) {
      assertSame(((Absmax.Plain) plain.absmax()).values(), ((Absmax.Plain) actual.absmax()).values());
      return;
    }
    Absmax.Nested expected = DoubleQuantization.quantize(plain.absmax(), ARENA);
    Absmax.Nested scales = (Absmax.Nested) actual.absmax();
    assertSame(expected.codes(), scales.codes());
    assertSame(expected.nestedAbsmax(), scales.nestedAbsmax());
    assertEquals(expected.map(), scales.map());
    assertEquals(expected.offset(), scales.offset());
  }

  private static void assertSame(MemorySegment expected, MemorySegment actual) {
    assertEquals(-1, expected.mismatch(actual), "first differing byte of the scales");
  }

  /** A matrix of two pieces, the last of them short and its last block too. The arena is that of the planned programs. */
  @ParameterizedTest
  @CsvSource({"cuda-test, BF16, true", "cuda-test, F32, false", "cuda-test, F16, true", "reference, BF16, true"})
  void aSessionWithKernelsMakesTheCodecsBytes(String name, DType dtype, boolean nested) {
    Tensor matrix = matrix(dtype, 1051, 2017);
    assertTrue(matrix.type().elements() > Nf4Quantizer.PIECE && matrix.type().elements() % 64 != 0);
    try (Backend backend = TestBackends.named(name, 1); Session session = backend.open(Long.MAX_VALUE)) {
      Nf4.Quantized quantized = new Nf4Quantizer(session).quantize(matrix, format(nested, dtype), ARENA);
      assertEquals(0, quantized.nonFinite());
      assertCodecsBytes(matrix, nested, quantized.weight());
      long planned = Nf4Quantizer.programs(matrix.type().elements(), format(nested, dtype), backend).stream()
          .mapToLong(program -> Planner.plan(program, backend).arenaBytes()).max().orElseThrow();
      assertTrue(planned > matrix.type().dtype().bytes() * (long) Nf4Quantizer.PIECE);
      assertEquals(planned, session.peakBytes());
    }
  }

  @ParameterizedTest
  @EnumSource(value = DType.class, names = {"BF16", "F32"})
  void whatTheSessionHasNoKernelsForIsLeftToTheCodec(DType planned) {
    Tensor matrix = matrix(DType.F32, 33, 70);
    try (Backend backend = TestBackends.named(planned == DType.F32 ? "cpu" : "cuda-test", 1);
        Session session = backend.open(Long.MAX_VALUE)) {
      assertCodecsBytes(matrix, true,
          new Nf4Quantizer(session).quantize(matrix, format(true, planned), ARENA).weight());
      assertEquals(0, session.peakBytes());
    }
  }

  @Test
  void whatIsNotFiniteIsCounted() {
    Tensor matrix = matrix(DType.F32, 40, 100);
    matrix.set(70, Double.NaN);
    matrix.set(71, 3);
    matrix.set(3999, Double.NEGATIVE_INFINITY);
    try (Backend backend = TestBackends.named("cuda-test", 1); Session session = backend.open(Long.MAX_VALUE)) {
      assertEquals(2, new Nf4Quantizer(session).quantize(matrix, format(true, DType.F32), ARENA).nonFinite());
    }
  }
}
