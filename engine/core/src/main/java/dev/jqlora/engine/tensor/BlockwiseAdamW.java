package dev.jqlora.engine.tensor;

/**
 * AdamW whose moments are kept as 8-bit codes in blocks of 256 (Dettmers et al., 8-bit Optimizers via Block-wise
 * Quantization), by the rules of bitsandbytes' CPU operator: weight decay before the step, codes by midpoints, no sign
 * repair. The plain version: fast ones are measured against it.
 */
public final class BlockwiseAdamW {
  private BlockwiseAdamW() {}

  /** What the codes of the two moments stand for; the second moment is never negative. */
  public record Maps(DynamicMap first, DynamicMap second) {
    public static final Maps DEFAULT = new Maps(DynamicMap.SIGNED, DynamicMap.UNSIGNED);
  }

  /**
   * The rates of one step, from the hyperparameters in float64: {@code stepSize}, {@code correction} and {@code decay} of
   * {@link Coefficients}.
   *
   * @param step 1 at the first update
   */
  public static float[] rates(double learningRate, double beta1, double beta2, double weightDecay, long step) {
    return new float[]{(float) (-learningRate / (1 - Math.pow(beta1, step))),
        (float) Math.sqrt(1 - Math.pow(beta2, step)), (float) (1 - learningRate * weightDecay)};
  }

  /**
   * What one step needs beside the tensors, each already rounded to float32 as the reference rounds it.
   *
   * @param gradient1 {@code 1 - beta1}, weight of the gradient in the first moment; {@code gradient2} in the second
   * @param decay factor on the parameter, {@code 1 - learningRate * weightDecay}
   * @param stepSize {@code -learningRate / (1 - beta1^step)}
   * @param correction {@code sqrt(1 - beta2^step)}, divides the root of the second moment
   */
  public record Coefficients(float beta1, float gradient1, float beta2, float gradient2, float decay, float stepSize,
      float correction, float epsilon) {
    /**
     * From the hyperparameters in float64.
     *
     * @param step 1 at the first update of this tensor
     */
    public static Coefficients of(double learningRate, double beta1, double beta2, double epsilon, double weightDecay,
        long step) {
      float[] rates = rates(learningRate, beta1, beta2, weightDecay, step);
      return ofRates(beta1, beta2, epsilon, rates[0], rates[1], rates[2]);
    }

    /** From what stays the same and the three rates of a step. */
    public static Coefficients ofRates(double beta1, double beta2, double epsilon, float stepSize, float correction,
        float decay) {
      return new Coefficients((float) beta1, (float) (1 - beta1), (float) beta2, (float) (1 - beta2), decay, stepSize,
          correction, (float) epsilon);
    }
  }

  /**
   * Updates a tensor and its moments in place. An element whose gradient is NaN or infinite keeps its parameter and
   * loses its moments.
   *
   * @param codes1 first moment, one byte a parameter; {@code absmax1} one a block
   * @param codes2 second moment, likewise
   * @return number of elements skipped because of their gradient
   */
  public static int step(float[] parameters, float[] gradients, byte[] codes1, float[] absmax1, byte[] codes2,
      float[] absmax2, Maps maps, Coefficients c) {
    float[] first = new float[Blockwise8bit.BLOCK];
    float[] second = new float[Blockwise8bit.BLOCK];
    int skipped = 0;
    for (int start = 0, block = 0; start < parameters.length; start += Blockwise8bit.BLOCK, block++) {
      int count = Math.min(Blockwise8bit.BLOCK, parameters.length - start);
      Blockwise8bit.dequantize(codes1, start, count, maps.first, absmax1[block], first, 0);
      Blockwise8bit.dequantize(codes2, start, count, maps.second, absmax2[block], second, 0);
      for (int i = 0; i < count; i++) {
        float gradient = gradients[start + i];
        if (!Float.isFinite(gradient)) {
          first[i] = 0f;
          second[i] = 0f;
          skipped++;
          continue;
        }
        first[i] = first[i] * c.beta1 + c.gradient1 * gradient;
        second[i] = second[i] * c.beta2 + c.gradient2 * (gradient * gradient);
        float update = first[i] / ((float) Math.sqrt(second[i]) / c.correction + c.epsilon);
        parameters[start + i] = parameters[start + i] * c.decay + c.stepSize * update;
      }
      absmax1[block] = Blockwise8bit.quantize(first, 0, count, maps.first, codes1, start);
      absmax2[block] = Blockwise8bit.quantize(second, 0, count, maps.second, codes2, start);
    }
    return skipped;
  }
}
