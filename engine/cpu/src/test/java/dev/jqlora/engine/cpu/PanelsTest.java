package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class PanelsTest {
  /** Panels of one vector, of several, as those of A with narrow vectors and many registers, and of half of one. */
  static Stream<Arguments> cases() {
    return IntStream.of(LANES / 2, LANES, 2 * LANES, 3 * LANES).filter(width -> width >= 4).boxed()
        .flatMap(width -> Stream.of(true, false).flatMap(rows -> Stream.of(DType.F32, DType.BF16)
            .flatMap(dtype -> Stream.of(Arguments.of(width, rows, dtype, 1, 1),
                Arguments.of(width, rows, dtype, 53, 17), Arguments.of(width, rows, dtype, 53, 2 * LANES),
                Arguments.of(width, rows, dtype, 4 * LANES, 3 * LANES), Arguments.of(width, rows, dtype, 3 * LANES, 21),
                Arguments.of(width, rows, dtype, 3 * LANES, 22),
                Arguments.of(width, rows, dtype, LANES / 2, 3 * LANES),
                Arguments.of(width, rows, dtype, LANES + LANES / 2, 3 * LANES)))));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void lanesLieSideBySideInTheirPanels(int width, boolean lanesAreRows, DType dtype, int lanes, int depth) {
    int firstLane = 2;
    int firstDepth = 3;
    int rows = lanesAreRows ? firstLane + lanes : firstDepth + depth;
    int columns = lanesAreRows ? firstDepth + depth : firstLane + lanes;
    float[] values = Guarded.normal(rows * columns, 1);
    Tensor matrix = Tensor.allocate(Arena.ofAuto(), new TensorType(dtype, Shape.of(rows, columns)));
    for (int i = 0; i < values.length; i++) {
      matrix.set(i, values[i]);
    }
    int panels = Math.ceilDiv(lanes, width);
    float[] expected = new float[panels * width * depth];
    for (int lane = 0; lane < lanes; lane++) {
      for (int k = 0; k < depth; k++) {
        int row = lanesAreRows ? firstLane + lane : firstDepth + k;
        int column = lanesAreRows ? firstDepth + k : firstLane + lane;
        expected[lane / width * width * depth + k * width + lane % width] = (float) matrix.get(
            (long) row * columns + column);
      }
    }
    Guarded packed = Guarded.output(expected.length);
    MemorySegment scratch = Guarded.scratch((long) Panels.scratch(lanes + width, depth) * Float.BYTES);
    Panels.pack(MatrixSource.of(matrix), lanesAreRows, firstLane, lanes, firstDepth, depth, width, packed.data(), 0,
        scratch);
    assertArrayEquals(expected, packed.floats());
  }
}
