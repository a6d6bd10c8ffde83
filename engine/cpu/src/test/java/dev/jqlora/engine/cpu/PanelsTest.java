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
  /** What is packed of a matrix. */
  record Part(int firstLane, int lanes, int firstDepth, int depth) {
    int endLane() {
      return firstLane + lanes;
    }

    int endDepth() {
      return firstDepth + depth;
    }
  }

  /** Panels of one vector, of several, as those of A with narrow vectors and many registers, and of half of one. */
  static Stream<Arguments> cases() {
    return IntStream.of(LANES / 2, LANES, 2 * LANES, 3 * LANES).filter(width -> width >= 4).boxed()
        .flatMap(width -> Stream.of(true, false).flatMap(rows -> Stream.of(DType.F32, DType.BF16)
            .flatMap(dtype -> Stream.of(new Part(2, 1, 3, 1), new Part(2, 53, 3, 17), new Part(2, 53, 3, 2 * LANES),
                new Part(2, 4 * LANES, 3, 3 * LANES), new Part(2, 3 * LANES, 3, 21), new Part(2, 3 * LANES, 3, 22),
                new Part(2, LANES / 2, 3, 3 * LANES), new Part(2, LANES + LANES / 2, 3, 3 * LANES))
                .map(part -> Arguments.of(width, rows, dtype, part)))));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void lanesLieSideBySideInTheirPanels(int width, boolean lanesAreRows, DType dtype, Part part) {
    int rows = lanesAreRows ? part.endLane() : part.endDepth();
    int columns = lanesAreRows ? part.endDepth() : part.endLane();
    float[] values = Guarded.normal(rows * columns, 1);
    Tensor matrix = Tensor.allocate(Arena.ofAuto(), new TensorType(dtype, Shape.of(rows, columns)));
    for (int i = 0; i < values.length; i++) {
      matrix.set(i, values[i]);
    }
    check(MatrixSource.of(matrix), index -> (float) matrix.get(index), lanesAreRows, part, width);
  }

  /** Runs and columns that wide vectors decode at once, beside others. */
  static Stream<Arguments> nf4Cases() {
    return Stream.of(true, false).flatMap(rows -> Stream.of(true, false)
        .flatMap(nested -> IntStream.of(32, 64, 256).boxed()
            .flatMap(blockSize -> Stream.of(new Part(0, 3 * LANES, 0, 64), new Part(2 * LANES, 7 * LANES, 128, 192),
                new Part(LANES, 3 * LANES, 5, 33), new Part(0, LANES, 63, 1), new Part(2 * LANES, 53, 64, 64),
                new Part(1, 3 * LANES, 3, 20)).map(part -> Arguments.of(rows, nested, blockSize, part)))));
  }

  @ParameterizedTest
  @MethodSource("nf4Cases")
  void quantizedLanesAreDecoded(boolean lanesAreRows, boolean nested, int blockSize, Part part) {
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
    check(MatrixSource.of(matrix), index -> values[(int) index], lanesAreRows, part, GemmTile.COLUMNS);
  }

  private static void check(MatrixSource matrix, LongFunction<Float> value, boolean lanesAreRows, Part part,
      int width) {
    int columns = matrix.columns();
    int lanes = part.lanes();
    int depth = part.depth();
    int panels = Math.ceilDiv(lanes, width);
    float[] expected = new float[panels * width * depth];
    for (int lane = 0; lane < lanes; lane++) {
      for (int k = 0; k < depth; k++) {
        int row = lanesAreRows ? part.firstLane() + lane : part.firstDepth() + k;
        int column = lanesAreRows ? part.firstDepth() + k : part.firstLane() + lane;
        int place = lane / width * width * depth + k * width + lane % width;
        expected[place] = value.apply((long) row * columns + column);
      }
    }
    Guarded packed = Guarded.output(expected.length);
    MemorySegment scratch = Guarded.scratch((long) Panels.scratch(lanes + width, depth) * Float.BYTES);
    Panels.pack(matrix, lanesAreRows, part.firstLane(), lanes, part.firstDepth(), depth, width, packed.data(), 0,
        scratch);
    assertArrayEquals(expected, packed.floats());
  }
}
