package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Nf4DecoderTest {
  /** What is decoded at once by wide vectors, where the run is whole groups within blocks. */
  private static final int GROUP = WideNf4.GROUP;

  @ParameterizedTest
  @ValueSource(ints = {32, 64, 256})
  void anyRunDecodesAsTheCodecDoes(int blockSize) {
    Arena arena = Arena.ofAuto();
    int size = 3001;
    Nf4Tensor plain = Nf4.quantize(Tensor.of(TensorType.f32(size), Guarded.normal(size, 1)), blockSize, arena).weight();
    Nf4Tensor nested = new Nf4Tensor(plain.shape(), blockSize, plain.codes(),
        DoubleQuantization.quantize(plain.absmax(), arena));
    Random random = new Random(2);
    for (int i = 0; i < 2000; i++) {
      int first = random.nextInt(size);
      int count = random.nextInt(Math.min(size - first, i < 500 ? 4 : size) + 1);
      check(plain, first, count);
      check(nested, first, count);
      int firstGroup = first / GROUP * GROUP;
      check(plain, firstGroup, count / GROUP * GROUP);
      check(nested, firstGroup, count / GROUP * GROUP);
    }
  }

  private static void check(Nf4Tensor tensor, int first, int count) {
    float[] expected = new float[count];
    tensor.dequantize(first, expected, 0, count);
    Guarded actual = Guarded.output(count);
    new Nf4Decoder(tensor).read(first, count, actual.data(), 0);
    assertArrayEquals(expected, actual.floats());
  }
}
