package dev.jqlora.engine.cpu;

import static dev.jqlora.engine.cpu.VectorWidth.LANES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Shape;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.LongFunction;
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
    check(MatrixSource.of(matrix), index -> (float) matrix.get(index), lanesAreRows, firstLane, lanes, firstDepth,
        depth,
        width);
  }

  /** Runs and columns that wide vectors decode at once, beside others. */
  static Stream<Arguments> nf4Cases() {
    return Stream.of(true, false).flatMap(rows -> Stream.of(true, false).flatMap(nested -> IntStream.of(64, 256).boxed()
        .flatMap(blockSize -> Stream.of(Arguments.of(rows, nested, blockSize, 3 * LANES, 64, 0, 0),
            Arguments.of(rows, nested, blockSize, 7 * LANES, 192, 2 * LANES, 128),
            Arguments.of(rows, nested, blockSize, 3 * LANES, 33, LANES, 5),
            Arguments.of(rows, nested, blockSize, LANES, 1, 0, 63),
            Arguments.of(rows, nested, blockSize, 53, 64, 2 * LANES, 64),
            Arguments.of(rows, nested, blockSize, 3 * LANES, 20, 1, 3)))));
  }

  @ParameterizedTest
  @MethodSource("nf4Cases")
  void quantizedLanesAreDecoded(boolean lanesAreRows, boolean nested, int blockSize, int lanes, int depth,
      int firstLane,
      int firstDepth) {
    int rows = 320;
    int columns = 336;
    Arena arena = Arena.ofAuto();
    Nf4Tensor plain = Nf4
        .quantize(Tensor.of(TensorType.f32(rows, columns), Guarded.normal(rows * columns, 1)), blockSize,
            arena)
        .weight();
    Nf4Tensor matrix = nested
        ? new Nf4Tensor(plain.shape(), blockSize, plain.codes(), DoubleQuantization.quantize(plain.absmax(), arena))
        : plain;
    float[] values = new float[rows * columns];
    matrix.dequantize(0, values, 0, values.length);
    check(MatrixSource.of(matrix), index -> values[(int) index], lanesAreRows, firstLane, lanes, firstDepth, depth,
        GemmTile.COLUMNS);
  }

  private static void check(MatrixSource matrix, LongFunction<Float> value, boolean lanesAreRows, int firstLane,
      int lanes,
      int firstDepth, int depth, int width) {
    int columns = matrix.columns();
    int panels = Math.ceilDiv(lanes, width);
    float[] expected = new float[panels * width * depth];
    for (int lane = 0; lane < lanes; lane++) {
      for (int k = 0; k < depth; k++) {
        int row = lanesAreRows ? firstLane + lane : firstDepth + k;
        int column = lanesAreRows ? firstDepth + k : firstLane + lane;
        expected[lane / width * width * depth + k * width + lane % width] = value.apply(
            (long) row * columns + column);
      }
    }
    Guarded packed = Guarded.output(expected.length);
    MemorySegment scratch = Guarded.scratch((long) Panels.scratch(lanes + width, depth) * Float.BYTES);
    Panels.pack(matrix, lanesAreRows, firstLane, lanes, firstDepth, depth, width, packed.data(), 0,
        scratch);
    assertArrayEquals(expected, packed.floats());
  }
}
