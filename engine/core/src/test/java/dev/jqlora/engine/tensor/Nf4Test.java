package dev.jqlora.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class Nf4Test {
  private static final Arena ARENA = Arena.ofAuto();

  @Test
  void tableHasTheReferenceBytes() {
    assertEquals("8501941daa1b8a90ad1bbfeb632e5101b5dddbc4bb52d6e55abcfd777e60c06a", sha256(Nf4.values()));
  }

  @Test
  void referenceMatrixGivesTheReferenceBytes() {
    Nf4Tensor weight = quantize(Tensor.of(TensorType.f32(60, 320), referenceInput()));

    byte[] codes = weight.codes().toArray(ValueLayout.JAVA_BYTE);
    assertEquals("03ae16c039e16c039e16c039e15cf39e15cf28e15bf28e15bf28d15bf27d14bf",
        HexFormat.of().formatHex(codes, 0, 32));
    assertEquals("d20ed0602fee85999e511a5958c11fb5d2dc803f4f92b6e92634a441a50d160b", Sha256.of(codes));
    assertEquals("1364e371b90584d6fc8353ab09add548b1f394310e19005fd29bbe82623ac03a", sha256(absmax(weight)));
    assertEquals("e1e4ca540b7e339b7de05441abf25ae131768710d67517acb6593fe4860c4151", sha256(dequantize(weight)));
  }

  @Test
  void referenceMatrixDoubleQuantized() {
    Nf4Tensor plain = quantize(Tensor.of(TensorType.f32(60, 320), referenceInput()));
    Absmax.Nested nested = DoubleQuantization.quantize(plain.absmax(), ARENA);
    Nf4Tensor weight = new Nf4Tensor(plain.shape(), plain.blockSize(), plain.codes(), nested);

    assertEquals(0.10809529572725296, nested.offset(), 1e-8);
    assertArrayEquals(new float[]{0.09502970427274704f, 0.09502970427274704f},
        nested.nestedAbsmax().toArray(Absmax.F32));
    assertEquals("f73841fb75cdba3dfedc2364d58ec999b5d15b2f9234ff25199f36656388249a",
        Sha256.of(nested.codes().toArray(ValueLayout.JAVA_BYTE)));
    assertEquals("0e1e01dd88aff5892abc2e513287c485f1663317f17e6c03994720feaea75071", sha256(dequantize(weight)));
  }

  @Test
  void bfloat16SourceGivesTheReferenceBytes() {
    Tensor source = Tensor.allocate(ARENA, new TensorType(DType.BF16, Shape.of(60, 320)));
    float[] values = referenceInput();
    for (int i = 0; i < values.length; i++) {
      source.set(i, values[i]);
    }
    Nf4Tensor plain = quantize(source);
    Nf4Tensor weight = new Nf4Tensor(plain.shape(), plain.blockSize(), plain.codes(),
        DoubleQuantization.quantize(plain.absmax(), ARENA));

    assertEquals("c5eb8a814495f0c626c6820bd02920cfc2c2cefdbcf82d5ac9476c709b59590d",
        Sha256.of(weight.codes().toArray(ValueLayout.JAVA_BYTE)));
    short[] rounded = new short[values.length];
    float[] decoded = dequantize(weight);
    for (int i = 0; i < rounded.length; i++) {
      rounded[i] = BFloat16.fromFloat(decoded[i]);
    }
    assertEquals("6fcb13ef1fd888e6089f2eed36c529604c8eacfb689cc848d34678670e8b83ec",
        Sha256.of(MemorySegment.ofArray(rounded).toArray(ValueLayout.JAVA_BYTE)));
  }

  @Test
  void float16SourceIsReadExactly() {
    Tensor source = Tensor.allocate(ARENA, new TensorType(DType.F16, Shape.of(3, 50)));
    float[] exact = new float[150];
    for (int i = 0; i < exact.length; i++) {
      exact[i] = (i * 37 % 101 - 50) / 64f;
      source.set(i, exact[i]);
    }
    Nf4Tensor expected = quantize(Tensor.of(TensorType.f32(3, 50), exact));
    assertArrayEquals(dequantize(expected), dequantize(quantize(source)));
  }

  @ParameterizedTest
  @CsvSource({"1,64", "2,64", "63,64", "64,64", "65,64", "127,32", "4097,4096", "200001,64", "65537,64", "0,64"})
  void everySizeAgreesWithThePlainRule(int elements, int blockSize) {
    float[] values = normal(elements);
    Nf4Tensor weight = Nf4.quantize(Tensor.of(TensorType.f32(elements), values), blockSize, ARENA).weight();

    float[] decoded = dequantize(weight);
    for (int block = 0; block * blockSize < elements; block++) {
      int end = Math.min(elements, (block + 1) * blockSize);
      float greatest = 0f;
      for (int i = block * blockSize; i < end; i++) {
        greatest = Math.max(greatest, Math.abs(values[i]));
      }
      for (int i = block * blockSize; i < end; i++) {
        assertEquals(Nf4.value(Nf4.code(values[i] * (1f / greatest))) * greatest, decoded[i]);
      }
    }
    if (elements % 2 == 1) {
      assertEquals(7, weight.codes().get(ValueLayout.JAVA_BYTE, elements / 2) & 15);
    }
  }

  @Test
  void aValueOnAThresholdTakesTheLowerCode() {
    float[] table = Nf4.values();
    for (int i = 0; i + 1 < table.length; i++) {
      float threshold = (table[i] + table[i + 1]) / 2f;
      float[] block = {1f, threshold, Math.nextUp(threshold), Math.nextDown(threshold)};
      Nf4Tensor weight = quantize(Tensor.of(TensorType.f32(4), block));
      assertEquals(i, weight.code(1));
      assertEquals(i + 1, weight.code(2));
      assertEquals(i, weight.code(3));
    }
  }

  @Test
  void aBlockOfZerosIsPackedAsZero() {
    Nf4Tensor weight = quantize(Tensor.of(TensorType.f32(65), new float[65]));
    byte[] expected = new byte[33];
    Arrays.fill(expected, (byte) 0x77);
    assertArrayEquals(expected, weight.codes().toArray(ValueLayout.JAVA_BYTE));
    assertArrayEquals(new float[65], dequantize(weight));
  }

  @Test
  void aBlockOfSubnormalsKeepsItsExtremesAndZeros() {
    float[] values = {Float.MIN_VALUE, 0f, -Float.MIN_VALUE};
    assertArrayEquals(values, dequantize(quantize(Tensor.of(TensorType.f32(3), values))));
  }

  @Test
  void nonFiniteWeightsAreCounted() {
    float[] values = normal(70_000);
    values[3] = Float.NaN;
    values[64] = Float.POSITIVE_INFINITY;
    values[69_999] = Float.NEGATIVE_INFINITY;
    assertEquals(3, Nf4.quantize(Tensor.of(TensorType.f32(700, 100), values), 64, ARENA).nonFinite());
  }

  @Test
  void oneThreadOrManyGiveTheSameBytes() throws Exception {
    Tensor source = Tensor.of(TensorType.f32(1000, 333), normal(333_000));
    byte[] expected = quantize(source).codes().toArray(ValueLayout.JAVA_BYTE);
    for (int threads = 1; threads <= 3; threads++) {
      try (ForkJoinPool pool = new ForkJoinPool(threads)) {
        Nf4Tensor weight = pool.submit(() -> quantize(source)).get();
        assertArrayEquals(expected, weight.codes().toArray(ValueLayout.JAVA_BYTE));
      }
    }
  }

  @Test
  void errorOfNormalWeightsIsAsPublished() {
    float[] values = normal(1 << 20);
    Nf4Tensor plain = quantize(Tensor.of(TensorType.f32(1 << 20), values));
    Absmax nested = DoubleQuantization.quantize(plain.absmax(), ARENA);
    assertEquals(0.0728, meanError(values, plain), 2e-4);
    assertEquals(0.0729, meanError(values, new Nf4Tensor(plain.shape(), 64, plain.codes(), nested)), 2e-4);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 16, 48, 8192})
  void anIllegalBlockSizeIsRefused(int blockSize) {
    Tensor source = Tensor.of(TensorType.f32(4), 1f, 2f, 3f, 4f);
    assertThrows(IllegalArgumentException.class, () -> Nf4.quantize(source, blockSize, ARENA));
  }

  @Test
  void componentsOfTheWrongSizeAreRefused() {
    Nf4Tensor weight = quantize(Tensor.of(TensorType.f32(65), new float[65]));
    assertThrows(IllegalArgumentException.class,
        () -> new Nf4Tensor(Shape.of(67), 64, weight.codes(), weight.absmax()));
    assertThrows(IllegalArgumentException.class,
        () -> new Nf4Tensor(Shape.of(65), 32, weight.codes(), weight.absmax()));
    MemorySegment codes = ARENA.allocate(257);
    assertThrows(IllegalArgumentException.class,
        () -> new Absmax.Nested(codes, DynamicMap.SIGNED, ARENA.allocate(4), 0f));
  }

  private static Nf4Tensor quantize(Tensor source) {
    Nf4.Quantized quantized = Nf4.quantize(source, Nf4.DEFAULT_BLOCK_SIZE, ARENA);
    assertEquals(0, quantized.nonFinite());
    return quantized.weight();
  }

  private static float[] dequantize(Nf4Tensor weight) {
    int elements = Math.toIntExact(weight.shape().elements());
    float[] whole = new float[elements];
    weight.dequantize(0, whole, 0, elements);
    int third = elements / 3;
    float[] part = new float[elements - third + 1];
    weight.dequantize(third, part, 1, elements - third);
    assertArrayEquals(Arrays.copyOfRange(whole, third, elements), Arrays.copyOfRange(part, 1, part.length));
    return whole;
  }

  private static float[] absmax(Nf4Tensor weight) {
    float[] values = new float[Math.toIntExact(weight.absmax().blocks())];
    weight.absmax().read(0, values, 0, values.length);
    return values;
  }

  private static double meanError(float[] values, Nf4Tensor weight) {
    float[] decoded = dequantize(weight);
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += Math.abs(values[i] - decoded[i]);
    }
    return sum / values.length;
  }

  private static float[] referenceInput() {
    float[] values = new float[60 * 320];
    for (int i = 0; i < values.length; i++) {
      int block = i / 64;
      values[i] = ((i * 73 + 11) % 257 - 128) * (1 + block * block % 13) / 8192f;
    }
    return values;
  }

  private static float[] normal(int count) {
    Random random = new Random(7);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  private static String sha256(float[] values) {
    return Sha256.of(MemorySegment.ofArray(values).toArray(ValueLayout.JAVA_BYTE));
  }
}
