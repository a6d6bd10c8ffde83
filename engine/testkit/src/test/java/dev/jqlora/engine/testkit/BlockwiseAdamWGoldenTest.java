package dev.jqlora.engine.testkit;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.tensor.BlockwiseAdamW;
import dev.jqlora.engine.tensor.DynamicMap;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Ten steps of 8-bit AdamW against bitsandbytes' CPU operator; the last block is short. */
class BlockwiseAdamWGoldenTest {
  @Test
  void tenStepsGiveTheSameStates() {
    GoldenFile golden = GoldenFile.open("golden/adamw8bit.safetensors");
    float[] parameters = golden.floats("p0");
    int n = parameters.length;
    float[] gradients = golden.floats("grads");
    float[] expected = golden.floats("params");
    int blocks = golden.floats("absmax1").length;
    byte[] codes1 = new byte[n];
    byte[] codes2 = new byte[n];
    float[] absmax1 = new float[blocks];
    float[] absmax2 = new float[blocks];

    BlockwiseAdamW.Maps maps = new BlockwiseAdamW.Maps(DynamicMap.of(golden.floats("qmap1")),
        DynamicMap.of(golden.floats("qmap2")));
    for (int step = 1; step <= 10; step++) {
      float[] gradient = Arrays.copyOfRange(gradients, (step - 1) * n, step * n);
      BlockwiseAdamW.step(parameters, gradient, codes1, absmax1, codes2, absmax2, maps,
          BlockwiseAdamW.Coefficients.of(1e-3, 0.9, 0.999, 1e-8, 0.01, step));
      assertArrayEquals(Arrays.copyOfRange(expected, (step - 1) * n, step * n), parameters, 6e-8f, "step " + step);
    }

    assertArrayEquals(golden.bytes("state1"), codes1);
    assertArrayEquals(golden.bytes("state2"), codes2);
    assertArrayEquals(golden.floats("absmax1"), absmax1);
    assertArrayEquals(golden.floats("absmax2"), absmax2);
  }

  /** Versions of torch round the construction differently: the file's maps and ours agree to two steps of float32. */
  @Test
  void mapsAgreeButForRounding() {
    GoldenFile golden = GoldenFile.open("golden/adamw8bit.safetensors");
    assertAgree(golden.floats("qmap1"), DynamicMap.SIGNED);
    assertAgree(golden.floats("qmap2"), DynamicMap.UNSIGNED);
  }

  private static void assertAgree(float[] expected, DynamicMap map) {
    for (int code = 0; code < DynamicMap.SIZE; code++) {
      assertEquals(expected[code], map.value(code), 2 * Math.ulp(expected[code]), "code " + code);
    }
  }
}
