package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.tensor.Absmax;
import dev.jqlora.engine.tensor.DoubleQuantization;
import dev.jqlora.engine.tensor.DynamicMap;
import dev.jqlora.engine.tensor.Nf4;
import dev.jqlora.engine.tensor.Nf4Tensor;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** NF4 with double quantization against what bitsandbytes wrote for the same matrix. */
class Nf4GoldenTest {
  @Test
  void quantizesToTheSameBytes() {
    GoldenFile golden = GoldenFile.open("golden/nf4-matrix.safetensors");
    Tensor input = golden.tensor("input");
    try (Arena arena = Arena.ofShared()) {
      Nf4.Quantized quantized = Nf4.quantize(input, 64, arena);
      Nf4Tensor plain = quantized.weight();
      Absmax.Nested nested = DoubleQuantization.quantize(plain.absmax(), arena);

      assertEquals(0, quantized.nonFinite());
      assertArrayEquals(golden.floats("weight.quant_map"), Nf4.values());
      assertArrayEquals(golden.bytes("weight"), plain.codes().toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(golden.floats("plain_absmax"), absmax(plain.absmax()));
      assertArrayEquals(golden.bytes("weight.absmax"), nested.codes().toArray(ValueLayout.JAVA_BYTE));
      assertArrayEquals(golden.floats("weight.nested_absmax"), nested.nestedAbsmax().toArray(Absmax.F32));
      assertEquals(nestedOffset(golden), nested.offset(), 1e-8);
    }
  }

  @Test
  void dequantizesToTheSameBits() {
    GoldenFile golden = GoldenFile.open("golden/nf4-matrix.safetensors");
    Absmax stored = new Absmax.Nested(golden.tensor("weight.absmax").data(),
        DynamicMap.of(golden.floats("weight.nested_quant_map")), golden.tensor("weight.nested_absmax").data(),
        (float) nestedOffset(golden));
    Nf4Tensor weight = new Nf4Tensor(golden.tensor("input").type().shape(), 64, golden.tensor("weight").data(), stored);

    float[] decoded = new float[Math.toIntExact(weight.shape().elements())];
    weight.dequantize(0, decoded, 0, decoded.length);

    assertArrayEquals(golden.floats("dequantized"), decoded);
  }

  private static float[] absmax(Absmax absmax) {
    float[] values = new float[Math.toIntExact(absmax.blocks())];
    absmax.read(0, values, 0, values.length);
    return values;
  }

  private static double nestedOffset(GoldenFile golden) {
    String json = new String(golden.bytes("weight.quant_state.bitsandbytes__nf4"), StandardCharsets.UTF_8);
    Matcher matcher = Pattern.compile("\"nested_offset\": ([-+.\\deE]+)").matcher(json);
    assertEquals(true, matcher.find(), json);
    return Double.parseDouble(matcher.group(1));
  }
}
