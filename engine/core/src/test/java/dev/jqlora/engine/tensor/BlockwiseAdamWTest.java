package dev.jqlora.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class BlockwiseAdamWTest {
  private static final int SIZE = 512;

  private final float[] parameters = new float[SIZE];
  private final byte[] codes1 = new byte[SIZE];
  private final byte[] codes2 = new byte[SIZE];
  private final float[] absmax1 = new float[2];
  private final float[] absmax2 = new float[2];

  @Test
  void followsTheReferenceForThreeSteps() {
    for (int i = 0; i < SIZE; i++) {
      parameters[i] = (i * 31 % 127 - 63) / 1024f;
    }
    for (int step = 1; step <= 3; step++) {
      assertEquals(0, update(gradient(step), step));
    }
    assertArrayEquals(new float[]{-0.05849506f, -0.03421622f, 0.00198047f, 0.02633539f}, Arrays.copyOf(parameters, 4),
        1e-7f);
    assertArrayEquals(new float[]{8.7250047e-4f, 9.0134679e-4f}, absmax1, 5e-10f);
    assertArrayEquals(new float[]{3.6026357e-8f, 3.6603389e-8f}, absmax2, 1e-12f);
    // The figures come from another build of the maps (last bits) and from 1 - beta2 rounded to float32 (1.3e-5).
    // CUDA repairs the signs of negative first moments next to zero; these codes are not there.
    assertArrayEquals(new int[]{58, 195, 40, 213, 28, 192, 57, 216, 50, 246, 81, 212}, first(codes1));
    assertArrayEquals(new int[]{73, 73, 137, 135, 161, 66, 82, 138, 121, 209, 37, 132}, first(codes2));
    double sum = 0;
    for (float parameter : parameters) {
      sum += parameter;
    }
    assertEquals(-0.0739242, sum, 1e-5);
  }

  @Test
  void anElementWithABadGradientIsLeftAlone() {
    Arrays.fill(parameters, 1f);
    float[] gradient = gradient(1);
    gradient[5] = Float.NaN;
    gradient[300] = Float.NEGATIVE_INFINITY;

    assertEquals(2, update(gradient, 1));

    assertEquals(1f, parameters[5]);
    assertEquals(1f, parameters[300]);
    assertEquals(127, codes1[5]);
    assertEquals(0, codes2[5]);
    for (float parameter : parameters) {
      assertEquals(1f, parameter, 2e-3f);
    }
  }

  private int update(float[] gradient, int step) {
    return BlockwiseAdamW.step(parameters, gradient, codes1, absmax1, codes2, absmax2, BlockwiseAdamW.Maps.DEFAULT,
        BlockwiseAdamW.Coefficients.of(1e-3, 0.9, 0.999, 1e-8, 0.01, step));
  }

  private static float[] gradient(int step) {
    float[] gradient = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      gradient[i] = ((i * 53 + 7 * step) % 101 - 50) * (1 + i % 5) / 65536f;
    }
    return gradient;
  }

  private static int[] first(byte[] codes) {
    int[] values = new int[12];
    Arrays.setAll(values, i -> Byte.toUnsignedInt(codes[i]));
    return values;
  }
}
